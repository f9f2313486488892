// See method_editor.h.
#include "widgets/controls/method_editor.h"

#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QRegularExpression>
#include <QSignalBlocker>
#include <algorithm>
#include <cmath>

#include "widgets/format.h"

namespace bitloom::widgets {
namespace {

constexpr int kFewest = 2;
constexpr int kMost = 256;

}  // namespace

std::optional<std::vector<double>> numbersFromText(const QString& text) {
    static const QRegularExpression separators(QStringLiteral("[\\s,;]+"));
    std::vector<double> numbers;
    for (QString part : text.split(separators, Qt::SkipEmptyParts)) {
        part.replace(QChar(0x2212), QLatin1Char('-'));
        bool ok = false;
        numbers.push_back(part.toDouble(&ok));
        if (!ok || !std::isfinite(numbers.back())) return std::nullopt;
    }
    return numbers;
}

QString textFromNumbers(const std::vector<double>& numbers) {
    QStringList parts;
    for (const double number : numbers)
        parts += QString::fromLatin1(csvNumber(number));
    return parts.join(QStringLiteral(", "));
}

SizeBox::SizeBox(QWidget* parent) : QSpinBox(parent) {
    setRange(kFewest, kMost);
}

int SizeBox::nearest(int size) const {
    if (m_sizes.empty()) return size;
    return *std::ranges::min_element(m_sizes, {}, [size](int taken) { return std::abs(taken - size); });
}

void SizeBox::stepBy(int steps) {
    if (m_sizes.empty()) return QSpinBox::stepBy(steps);
    const auto above = std::ranges::upper_bound(m_sizes, value()) - m_sizes.begin();
    const auto from = std::ranges::lower_bound(m_sizes, value()) - m_sizes.begin();
    const std::ptrdiff_t at = steps > 0 ? above + steps - 1 : from + steps;
    setValue(m_sizes[static_cast<std::size_t>(
        std::clamp<std::ptrdiff_t>(at, 0, static_cast<std::ptrdiff_t>(m_sizes.size()) - 1))]);
}

MethodEditor::MethodEditor(QWidget* parent)
    : QObject(parent),
      m_method(new QComboBox(parent)),
      m_components(new SizeBox(parent)),
      m_bits(new QLabel(parent)),
      m_values(new QLineEdit(parent)) {
    m_method->setObjectName(QStringLiteral("method"));
    m_components->setObjectName(QStringLiteral("components"));
    m_components->setToolTip(
        tr("Values that a weight may take, of a mixture zero among them: 4 are 2 bits, "
           "16 are 4 bits; a method that learns its bits starts with so many"));
    m_components->setValue(MethodSetting().components);
    m_bits->setObjectName(QStringLiteral("componentBits"));
    m_bits->setProperty("role", "muted");
    m_bits->setToolTip(tr("Bits per weight: the base-2 logarithm of the components"));
    m_values->setObjectName(QStringLiteral("values"));
    m_values->setToolTip(
        tr("The set that weights are chosen from, between commas, as -1, 0, 1; it says how many components "
           "there are. Empty: the published set of that size"));
    m_values->setPlaceholderText(tr("published set"));
    connect(m_method, &QComboBox::currentIndexChanged, this, &MethodEditor::methodChanged);
    connect(m_components, &QSpinBox::valueChanged, this, &MethodEditor::update);
    connect(m_values, &QLineEdit::textChanged, this, &MethodEditor::update);
    connect(m_method, &QComboBox::currentIndexChanged, this, &MethodEditor::changed);
    connect(m_components, &QSpinBox::valueChanged, this, &MethodEditor::changed);
    connect(m_values, &QLineEdit::textChanged, this, &MethodEditor::changed);
}

void MethodEditor::setMethods(std::vector<MethodChoice> methods) {
    const MethodSetting shown = setting();
    m_methods = std::move(methods);
    const QSignalBlocker quiet(m_method);
    m_method->clear();
    for (const MethodChoice& method : m_methods)
        m_method->addItem(method.title, method.name);
    show(shown);
}

const MethodChoice* MethodEditor::choice() const {
    const QString name = m_method->currentData().toString();
    const auto found = std::ranges::find(m_methods, name, &MethodChoice::name);
    return found == m_methods.end() ? nullptr : &*found;
}

bool MethodEditor::hasCodebook() const {
    return choice() && !choice()->sizes.empty();
}

bool MethodEditor::takesValues() const {
    return choice() && choice()->values;
}

void MethodEditor::show(const MethodSetting& setting) {
    const QSignalBlocker quietMethod(m_method);
    const QSignalBlocker quietComponents(m_components);
    const QSignalBlocker quietValues(m_values);
    m_method->setCurrentIndex(m_method->findData(setting.method));
    m_components->setSizes(choice() ? choice()->sizes : std::vector<int>());
    m_components->setValue(setting.components);
    m_values->setText(textFromNumbers(setting.values));
    update();
}

MethodSetting MethodEditor::setting() const {
    MethodSetting setting{m_method->currentData().toString(), m_components->value(), {}};
    if (!takesValues()) return setting;
    if (const auto values = numbersFromText(m_values->text()); values && !values->empty()) {
        setting.values = *values;
        setting.components = static_cast<int>(values->size());
    }
    return setting;
}

/// Another method may refuse the size of the codebook: it gets the nearest that it takes.
void MethodEditor::methodChanged() {
    const QSignalBlocker quiet(m_components);
    m_components->setSizes(choice() ? choice()->sizes : std::vector<int>());
    if (hasCodebook()) m_components->setValue(m_components->nearest(m_components->value()));
    update();
}

void MethodEditor::update() {
    const MethodSetting now = setting();
    m_components->setEnabled(hasCodebook() && now.values.empty());
    m_values->setEnabled(takesValues());
    if (!now.values.empty()) {
        const QSignalBlocker quiet(m_components);
        m_components->setValue(now.components);
    }
    m_bits->setText(hasCodebook() ? tr("= %1 bits").arg(formatBits(std::log2(now.components)))
                                  : tr("32 bits per weight"));
}

QString MethodEditor::problem() const {
    if (!hasCodebook()) return {};
    const MethodSetting now = setting();
    if (takesValues() && !m_values->text().trimmed().isEmpty()) {
        auto values = numbersFromText(m_values->text());
        if (!values) return tr("Value set: write numbers between commas, as -1, 0, 1.");
        std::ranges::sort(*values, {}, [](double value) { return static_cast<float>(value); });
        const bool repeats = std::ranges::adjacent_find(*values, {}, [](double value) {
                                 return static_cast<float>(value);
                             }) != values->end();
        if (repeats || values->size() < kFewest || values->size() > kMost)
            return tr("Value set: %1 to %2 different numbers are needed.").arg(kFewest).arg(kMost);
        return {};
    }
    const std::vector<int>& sizes = choice()->sizes;
    if (std::ranges::find(sizes, now.components) != sizes.end()) return {};
    return tr("%1 does not take %2 components; %3 is the nearest number it does.")
        .arg(choice()->name)
        .arg(now.components)
        .arg(m_components->nearest(now.components));
}

}  // namespace bitloom::widgets

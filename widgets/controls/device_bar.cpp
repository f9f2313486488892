// See device_bar.h.
#include "widgets/controls/device_bar.h"

#include <QAction>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStandardItemModel>
#include <QToolButton>
#include <algorithm>
#include <utility>

#include "widgets/controls/elided_label.h"
#include "widgets/format.h"

namespace bitloom::widgets {
namespace {

constexpr const char* kHost = "host";

QString nameOf(const report::DeviceInfo& device) {
    QString name = QString::fromStdString(device.name.empty() ? device.id : device.name);
    if (device.id == kHost) name = DeviceBar::tr("This computer: %1").arg(name);
    return name;  // that of an emulated one says so
}

QString textOf(const report::DeviceInfo& device) {
    if (device.problem.empty()) return nameOf(device);
    const QString state = QString::fromStdString(device.state);
    const bool saysLittle = state.isEmpty() || state == QLatin1String("device");
    return DeviceBar::tr("%1: %2").arg(nameOf(device), saysLittle ? DeviceBar::tr("cannot be used") : state);
}

/// Names that differ in their last part alone share a line: "fp32_avx2: 1x32, 4x24, naive".
QString kernelsText(const std::vector<std::string>& kernels) {
    QStringList groups;
    QList<QStringList> names;
    for (const std::string& kernel : kernels) {
        const QString name = QString::fromStdString(kernel);
        const QString group = name.section(QLatin1Char('_'), 0, -2);
        if (!groups.contains(group)) {
            groups += group;
            names += QStringList();
        }
        names[groups.indexOf(group)] += name.section(QLatin1Char('_'), -1);
    }
    QStringList lines;
    for (qsizetype i = 0; i < groups.size(); ++i)
        lines += groups[i] + QStringLiteral(": ") + names[i].join(QStringLiteral(", "));
    return lines.join(QLatin1Char('\n'));
}

QString tipOf(const report::DeviceInfo& device) {
    if (!device.problem.empty()) return QString::fromStdString(device.problem);
    QStringList parts = {QString::fromStdString(device.id)};
    for (const std::string& part : {device.abi, device.os}) {
        if (!part.empty()) parts += QString::fromStdString(part);
    }
    parts += device.cores.size() == 1 ? DeviceBar::tr("1 core")
                                      : DeviceBar::tr("%1 cores").arg(device.cores.size());
    if (device.memoryBytes > 0) parts += formatBytes(device.memoryBytes);
    QString tip = parts.join(QStringLiteral("  ·  "));
    if (!device.kernels.empty())
        tip += QLatin1Char('\n') +
               DeviceBar::tr("%1 kernels: %2").arg(device.kernels.size()).arg(kernelsText(device.kernels));
    return tip;
}

/// What the list shows of a device; the same means that nothing needs to be drawn anew.
bool looksLike(const report::DeviceInfo& a, const report::DeviceInfo& b) {
    return a.id == b.id && a.cores.size() == b.cores.size() && textOf(a) == textOf(b) && tipOf(a) == tipOf(b);
}

}  // namespace

DeviceBar::DeviceBar(QWidget* parent)
    : QWidget(parent),
      m_list(new QComboBox(this)),
      m_threads(new QSpinBox(this)),
      m_benchmark(new QToolButton(this)),
      m_tune(new QToolButton(this)),
      m_cancel(new QToolButton(this)),
      m_bar(new QProgressBar(this)),
      m_text(new ElidedLabel(this)) {
    setObjectName(QStringLiteral("deviceBar"));
    m_list->setObjectName(QStringLiteral("deviceList"));
    m_list->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_list->setMinimumContentsLength(18);
    m_list->setMaximumWidth(340);
    auto* label = new QLabel(tr("&Threads"), this);
    label->setBuddy(m_threads);
    m_threads->setObjectName(QStringLiteral("deviceThreads"));
    m_threads->setRange(1, kMostThreads);
    m_threads->setToolTip(tr("Threads of the benchmark; on the fastest cores where the device tells them"));
    m_bar->setObjectName(QStringLiteral("benchmarkProgress"));
    m_bar->setToolTip(tr("A benchmark is running"));
    m_bar->setRange(0, 0);
    m_bar->setTextVisible(false);
    m_bar->setFixedSize(60, 8);
    m_text->setObjectName(QStringLiteral("benchmarkText"));
    m_text->setProperty("role", QStringLiteral("muted"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 6, 6, 2);
    row->setSpacing(6);
    row->addWidget(m_list, 2);
    row->addWidget(label);
    row->addWidget(m_threads);
    for (QToolButton* button : {m_benchmark, m_tune, m_cancel}) {
        button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
        row->addWidget(button);
    }
    row->addWidget(m_bar);
    row->addWidget(m_text, 1);
    connect(m_list, &QComboBox::activated, this, &DeviceBar::choose);
    connect(m_threads, &QSpinBox::valueChanged, this, &DeviceBar::threadsChosen);
    setBackgroundRole(QPalette::Base);
    setAutoFillBackground(true);
    fillList();
    setRunning(false);
}

void DeviceBar::setActions(QAction* benchmark, QAction* tune, QAction* cancel) {
    const auto show = [](QToolButton* button, QAction* action) {
        button->setDefaultAction(action);
        button->setObjectName(action->objectName());
    };
    show(m_benchmark, benchmark);
    show(m_tune, tune);
    show(m_cancel, cancel);
}

const report::DeviceInfo* DeviceBar::chosen() const {
    const auto found = std::ranges::find(m_devices, m_device.toStdString(), &report::DeviceInfo::id);
    return found == m_devices.end() ? nullptr : &*found;
}

void DeviceBar::setDevices(const std::vector<report::DeviceInfo>& devices, const QString& problem) {
    m_problem = problem;
    // An open list must not move under the mouse every time it is refreshed.
    const bool same = std::ranges::equal(devices, m_devices, looksLike);
    m_devices = devices;
    const bool first = !std::exchange(m_listed, true);
    if (first || !same) fillList();
    updateText();
}

void DeviceBar::setDevice(const QString& id) {
    if (id == std::exchange(m_device, id)) return;
    m_lastName.clear();
    fillList();
}

int DeviceBar::threads() const {
    return m_threads->value();
}

void DeviceBar::setThreads(int threads) {
    const QSignalBlocker quiet(m_threads);
    m_threads->setValue(threads);
}

void DeviceBar::choose(int row) {
    const QString id = m_list->itemData(row).toString();
    if (id == std::exchange(m_device, id)) return;
    m_lastName.clear();
    fillList();
    Q_EMIT deviceChosen(id);
}

void DeviceBar::fillList() {
    m_list->clear();
    auto* model = qobject_cast<QStandardItemModel*>(m_list->model());
    const auto add = [&](const QString& text, const QString& id, const QString& tip, bool usable) {
        m_list->addItem(text, id);
        QStandardItem* item = model->item(m_list->count() - 1);
        item->setToolTip(tip);
        item->setEnabled(usable);
    };
    for (const report::DeviceInfo& device : m_devices)
        add(textOf(device), QString::fromStdString(device.id), tipOf(device), device.problem.empty());
    if (const report::DeviceInfo* device = chosen()) {
        m_lastName = nameOf(*device);
    } else {
        const QString name = !m_lastName.isEmpty()              ? m_lastName
                             : m_device == QLatin1String(kHost) ? tr("This computer")
                                                                : m_device;
        add(m_listed ? tr("%1: unplugged").arg(name) : name, m_device,
            tr("Not connected at the moment; it is chosen again when it comes back"), false);
    }
    m_list->setCurrentIndex(m_list->findData(m_device));
    const QString tip = m_list->currentData(Qt::ToolTipRole).toString();
    m_list->setToolTip(tr("The device to measure on; the list follows what is plugged in") +
                       (tip.isEmpty() ? tip : QLatin1Char('\n') + tip));
    fitThreads();
}

/// More threads than cores measure the scheduler. A device that is gone may come back with its cores.
void DeviceBar::fitThreads() {
    const report::DeviceInfo* device = chosen();
    if (!device || device->cores.empty()) return;
    const QSignalBlocker quiet(m_threads);  // a limit is no choice
    m_threads->setMaximum(std::min(kMostThreads, static_cast<int>(device->cores.size())));
}

void DeviceBar::setRunning(bool running) {
    m_running = running;
    m_phase.clear();
    m_list->setEnabled(!running);
    m_threads->setEnabled(!running);
    m_tune->setVisible(!running);
    m_cancel->setVisible(running);
    m_bar->setVisible(running);
    updateText();
}

void DeviceBar::setProgress(const report::Progress& progress) {
    m_phase = QString::fromStdString(progress.phase);
    if (!m_phase.isEmpty()) m_phase[0] = m_phase[0].toUpper();
    if (progress.totalSteps > 0)
        m_phase += tr("  %1 / %2").arg(formatCount(progress.step), formatCount(progress.totalSteps));
    updateText();
}

void DeviceBar::updateText() {
    QString text = m_phase;
    if (!m_running && !m_problem.isEmpty()) text = tr("No phones: %1").arg(m_problem);
    m_text->setText(text);
    m_text->setToolTip(text);
}

void DeviceBar::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    const bool texts = width() >= kLeastWidthWithTexts;
    for (QToolButton* button : {m_benchmark, m_tune, m_cancel})
        button->setToolButtonStyle(texts ? Qt::ToolButtonTextBesideIcon : Qt::ToolButtonIconOnly);
}

void DeviceBar::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    Q_EMIT shownChanged(true);
}

void DeviceBar::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    Q_EMIT shownChanged(false);
}

}  // namespace bitloom::widgets

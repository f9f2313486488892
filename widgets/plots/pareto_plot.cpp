// The view around ParetoFigure: switches, read-out, note, mouse, keyboard.
#include "widgets/plots/pareto_plot.h"

#include <QAction>
#include <QActionGroup>
#include <QComboBox>
#include <QSignalBlocker>
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "widgets/commands.h"
#include "widgets/plots/csv_field.h"
#include "widgets/plots/pareto_figure.h"
#include "widgets/plots/tool_row.h"
#include "widgets/plots/warning_banner.h"

namespace bitloom::widgets {
namespace {

constexpr std::size_t kNamedProblems = 3;

}  // namespace

struct ParetoPlot::Parts {
    explicit Parts(ParetoPlot& owner) : view(owner), figure(&owner, state) {}

    void assemble();
    void makeTools();
    void addKey(const char* name, const QString& text, const QString& tip, const QKeySequence& key,
                std::function<void()> work);
    void choose(std::optional<std::size_t> run);
    void step(int by);
    void activate(std::optional<std::size_t> run);
    void tell(std::optional<std::size_t> run);
    void updateGroups();
    void updatePlaces();
    void updateNote();
    [[nodiscard]] QString textOf(const report::RunFigures& run) const;
    [[nodiscard]] std::optional<std::size_t> find(const QString& path) const;

    ParetoPlot& view;
    ParetoState state;  // before the figure, which reads it
    ParetoFigure figure;
    std::vector<std::string> problems;
    ToolRow* tools = nullptr;
    WarningBanner* banner = nullptr;
    QComboBox* groups = nullptr;
    QComboBox* places = nullptr;
    std::array<QAction*, std::size(kParetoCosts)> costs{};
};

void ParetoPlot::Parts::assemble() {
    makeTools();
    banner = new WarningBanner(
        &view, tr("These files or figures are missing from the picture; the others are all there"));
    view.assemble(
        QStringLiteral("paretoPlot"), figure.plot(), {tools},
        tr("No runs to compare yet.\nOpen a folder of runs, or several runs: each is a mark, those\n"
           "that no other beats are joined."));
    view.addBanner(*banner);
    tell({});
}

void ParetoPlot::Parts::makeTools() {
    tools = new ToolRow(&view, tr("The run under the mouse, or the chosen one: its accuracy and its cost"));
    groups = new QComboBox(tools);
    groups->setObjectName(QStringLiteral("group"));
    groups->setToolTip(tr("Network and images whose runs are shown; runs of different ones do not compare"));
    groups->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    tools->add(groups);
    connect(groups, &QComboBox::activated, &view,
            [this](int index) { view.setGroup(index <= 0 ? QString() : groups->itemText(index)); });
    places = new QComboBox(tools);
    places->setObjectName(QStringLiteral("place"));
    places->setToolTip(tr("Where the times were taken; those of different places do not compare"));
    places->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    tools->add(places);
    connect(places, &QComboBox::activated, &view,
            [this](int index) { view.setPlace(places->itemText(index)); });
    const std::array<std::pair<QString, QString>, std::size(kParetoCosts)> texts = {
        {{tr("Bits"), tr("Accuracy against average bits a weight")},
         {tr("Size"), tr("Accuracy against the bytes of the packed file")},
         {tr("BitOPs"), tr("Accuracy against bit operations an image: weight bits x activation bits x MACs")},
         {tr("Time"), tr("Accuracy against milliseconds an image, as measured by Benchmark")}}};
    constexpr std::array kKeys = {Qt::Key_B, Qt::Key_S, Qt::Key_O, Qt::Key_T};
    auto* exclusive = new QActionGroup(&view);
    for (std::size_t i = 0; i < costs.size(); ++i) {
        const QString name = QLatin1String(kParetoCosts[i].name);
        costs[i] = tools->addSwitch(name, texts[i].first, texts[i].second, kKeys[i]);
        exclusive->addAction(costs[i]);
        connect(costs[i], &QAction::triggered, &view, [this, name] { view.setCost(name); });
    }
    costs.front()->setChecked(true);
    tools->add(view.makeExportButton());
    addKey("next_run", tr("Next run"), tr("Choose the run to the right"), Qt::Key_Right, [this] { step(1); });
    addKey("previous_run", tr("Previous run"), tr("Choose the run to the left"), Qt::Key_Left,
           [this] { step(-1); });
    addKey("load_run", tr("Load run"), tr("Show the chosen run in the window"), Qt::Key_Return,
           [this] { activate(state.chosen); });
}

void ParetoPlot::Parts::addKey(const char* name, const QString& text, const QString& tip,
                               const QKeySequence& key, std::function<void()> work) {
    QAction* action = addCommand(view, QString::fromLatin1(name), text, tip, key);
    connect(action, &QAction::triggered, &view, std::move(work));
}

std::optional<std::size_t> ParetoPlot::Parts::find(const QString& path) const {
    const auto found = std::ranges::find(state.runs, path.toStdString(), &report::RunFigures::path);
    if (found == state.runs.end()) return std::nullopt;
    return static_cast<std::size_t>(found - state.runs.begin());
}

void ParetoPlot::Parts::choose(std::optional<std::size_t> run) {
    if (std::exchange(state.chosen, run) != run) view.invalidate();
    tell(run);
}

void ParetoPlot::Parts::step(int by) {
    const std::vector<std::size_t> order = state.order();
    if (order.empty()) return;
    const auto here = state.chosen ? std::ranges::find(order, *state.chosen) : order.end();
    const auto last = static_cast<std::ptrdiff_t>(order.size()) - 1;
    std::ptrdiff_t at = by > 0 ? 0 : last;
    if (here != order.end()) at = std::clamp<std::ptrdiff_t>(here - order.begin() + by, 0, last);
    choose(order[static_cast<std::size_t>(at)]);
    Q_EMIT view.runChosen(view.chosenRun());
}

void ParetoPlot::Parts::activate(std::optional<std::size_t> run) {
    if (run) Q_EMIT view.runActivated(QString::fromStdString(state.runs[*run].path));
}

QString ParetoPlot::Parts::textOf(const report::RunFigures& run) const {
    QStringList parts = {QString::fromStdString(run.name), QString::fromStdString(run.method),
                         QString::fromStdString(run.group()), tr("top-1 %1 %").arg(formatFixed(run.top1, 2))};
    if (std::isfinite(run.top1Fp32))
        parts.back() += tr(" (full precision %1 %2)")
                            .arg(run.top1 < run.top1Fp32 ? tr("less") : tr("plus"),
                                 formatFixed(std::abs(run.top1 - run.top1Fp32), 2));
    if (std::isfinite(run.bits)) parts += tr("%1 bits").arg(formatBits(run.bits));
    if (std::isfinite(run.bytes)) parts += formatBytes(std::llround(run.bytes));
    if (std::isfinite(run.bitOps)) parts += tr("%1 BitOPs").arg(formatNumber(run.bitOps));
    if (const report::RunTime* time = run.timeAt(state.place))
        parts += tr("%1 ms (%2 to %3, %4, %5)")
                     .arg(formatNumber(time->medianMs), formatNumber(time->p10Ms), formatNumber(time->p90Ms),
                          QString::fromStdString(time->family), QString::fromStdString(time->verdict));
    if (run.status != report::RunStatus::Finished) parts += QString::fromLatin1(report::toText(run.status));
    return parts.join(QStringLiteral("   "));
}

void ParetoPlot::Parts::tell(std::optional<std::size_t> run) {
    if (!run) run = state.chosen;
    tools->setReadOut(run ? textOf(state.runs[*run]) : tr("Point to a run to read it, click to load it"));
}

void ParetoPlot::Parts::updateGroups() {
    const QSignalBlocker quiet(groups);
    const std::vector<std::string> names = report::groupsOf(state.runs);
    if (std::ranges::find(names, state.group) == names.end()) state.group.clear();
    groups->clear();
    groups->addItem(tr("All networks"));
    for (const std::string& name : names)
        groups->addItem(QString::fromStdString(name));
    groups->setCurrentIndex(std::max(0, groups->findText(QString::fromStdString(state.group))));
    groups->setVisible(names.size() > 1);
}

/// Times of one place alone compare: the one that was chosen, or that of most runs.
void ParetoPlot::Parts::updatePlaces() {
    const QSignalBlocker quiet(places);
    const std::vector<std::string> known = report::timePlaces(state.runs);
    if (std::ranges::find(known, state.place) == known.end())
        state.place = known.empty() ? std::string() : known.front();
    report::showTimes(state.runs, state.place);
    places->clear();
    for (const std::string& place : known)
        places->addItem(QString::fromStdString(place));
    places->setCurrentIndex(places->findText(QString::fromStdString(state.place)));
    places->setVisible(state.isTimed() && known.size() > 1);
}

/// What is not in the picture, and why.
void ParetoPlot::Parts::updateNote() {
    QStringList lines;
    QStringList without;
    qsizetype wantedRuns = 0;
    for (const report::RunFigures& run : state.runs) {
        const bool wanted = state.group.empty() || run.group() == state.group;
        if (wanted) ++wantedRuns;
        if (wanted && !state.isShown(run)) without += QString::fromStdString(run.name);
    }
    if (!without.isEmpty()) {
        const qsizetype count = without.size();
        const qsizetype more = count - static_cast<qsizetype>(kNamedProblems);
        if (more > 0) without = without.mid(0, kNamedProblems) << tr("%1 more").arg(more);
        lines +=
            tr("%1 of %2 runs are shown. ").arg(wantedRuns - count).arg(wantedRuns) +
            (count == 1 ? tr("1 run has no place here yet, as it was not scored or has no such figure: %1.")
                        : tr("%2 runs have no place here yet, as they were not scored or have no such "
                             "figure: %1.")
                              .arg(QStringLiteral("%1"))
                              .arg(count))
                .arg(without.join(QStringLiteral(", ")));
    }
    for (std::size_t i = 0; i < std::min(problems.size(), kNamedProblems); ++i)
        lines += tr("Not read: %1").arg(QString::fromStdString(problems[i]));
    if (problems.size() > kNamedProblems)
        lines += tr("%1 more files were not read.").arg(problems.size() - kNamedProblems);
    banner->setText(lines.join(QLatin1Char('\n')));
}

ParetoPlot::ParetoPlot(QWidget* parent) : FigureView(parent), m_parts(std::make_unique<Parts>(*this)) {
    m_parts->assemble();
}

ParetoPlot::~ParetoPlot() = default;

void ParetoPlot::setRuns(const std::vector<report::RunFigures>& runs) {
    Parts& p = *m_parts;
    const QString chosen = chosenRun();
    p.state.runs = runs;
    p.state.chosen = p.find(chosen);
    setFilled(!runs.empty());
    p.updatePlaces();
    p.updateGroups();
    p.updateNote();
    p.tell({});
    invalidate();
}

void ParetoPlot::setProblems(const std::vector<std::string>& problems) {
    m_parts->problems = problems;
    m_parts->updateNote();
}

void ParetoPlot::setCost(const QString& name) {
    for (std::size_t i = 0; i < std::size(kParetoCosts); ++i) {
        if (name != QLatin1String(kParetoCosts[i].name)) continue;
        m_parts->costs[i]->setChecked(true);
        if (std::exchange(m_parts->state.cost, i) == i) return;
        m_parts->updatePlaces();
        m_parts->updateNote();
        invalidate();
    }
}

QString ParetoPlot::cost() const {
    return QLatin1String(kParetoCosts[m_parts->state.cost].name);
}

void ParetoPlot::setGroup(const QString& group) {
    if (std::exchange(m_parts->state.group, group.toStdString()) == group.toStdString()) return;
    m_parts->updateGroups();
    m_parts->updateNote();
    invalidate();
}

QString ParetoPlot::group() const {
    return QString::fromStdString(m_parts->state.group);
}

void ParetoPlot::setPlace(const QString& place) {
    if (std::exchange(m_parts->state.place, place.toStdString()) == place.toStdString()) return;
    m_parts->updatePlaces();
    m_parts->updateNote();
    m_parts->tell({});
    invalidate();
}

QString ParetoPlot::place() const {
    return QString::fromStdString(m_parts->state.place);
}

void ParetoPlot::setCurrentRun(const QString& path) {
    if (std::exchange(m_parts->state.current, path.toStdString()) != path.toStdString()) invalidate();
}

void ParetoPlot::chooseRun(const QString& path) {
    m_parts->choose(m_parts->find(path));
}

QString ParetoPlot::chosenRun() const {
    const ParetoState& state = m_parts->state;
    return state.chosen ? QString::fromStdString(state.runs[*state.chosen].path) : QString();
}

QByteArray ParetoPlot::csv() const {
    QByteArray text =
        "run,network,images,method,status,top1_hard,top1_fp32,bits,file_bytes,bit_operations,"
        "median_ms,p10_ms,p90_ms,front,path\n";
    const ParetoState& state = m_parts->state;
    for (std::size_t i = 0; i < state.runs.size(); ++i) {
        const report::RunFigures& run = state.runs[i];
        const std::vector<std::size_t> front =
            report::paretoFront(state.runs, kParetoCosts[state.cost].figure, run.group());
        text += csvField(run.name) + ',' + csvField(run.network) + ',' + csvField(run.images) + ',' +
                csvField(run.method) + ',' + report::toText(run.status);
        for (const double value : {run.top1, run.top1Fp32, run.bits, run.bytes, run.bitOps})
            text += ',' + csvNumber(value);
        const report::RunTime* time = run.timeAt(state.place);
        for (const auto part : {&report::RunTime::medianMs, &report::RunTime::p10Ms, &report::RunTime::p90Ms})
            text += ',' + csvNumber(time ? time->*part : report::kNoValue);
        text += std::ranges::find(front, i) != front.end() ? ",true," : ",false,";
        text += csvField(run.path) + '\n';
    }
    return text;
}

void ParetoPlot::updateFigure() {
    m_parts->figure.update();
}

void ParetoPlot::restyle() {
    m_parts->figure.restyle();
    m_parts->banner->restyle();
}

void ParetoPlot::mouseMoved(QMouseEvent& event) {
    m_parts->tell(m_parts->figure.runAt(event.position()));
}

void ParetoPlot::mouseLeft() {
    m_parts->tell({});
}

void ParetoPlot::clicked(const QPointF& position) {
    m_parts->choose(m_parts->figure.runAt(position));
    if (!m_parts->state.chosen) return;
    Q_EMIT runChosen(chosenRun());
    m_parts->activate(m_parts->state.chosen);
}

}  // namespace bitloom::widgets

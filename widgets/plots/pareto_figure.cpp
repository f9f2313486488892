// See pareto_figure.h. Everything reads the current theme when it paints.
#include "widgets/plots/pareto_figure.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr double kMarkSize = 9;
constexpr double kMarkReach = 12;  // pixels around a mark that count as its own
constexpr int kMarkRoom = 18;
constexpr double kCapSize = 4;  // half the height of an error bar's ends
constexpr int kKeyGap = 16;
constexpr std::size_t kMostNamedRuns = 40;  // more runs than this are told apart by pointing alone

using Shape = QCPScatterStyle::ScatterShape;
constexpr std::array kShapes = {Shape::ssCircle, Shape::ssSquare, Shape::ssDiamond, Shape::ssTriangle,
                                Shape::ssTriangleInverted};

std::size_t placeOf(const std::vector<std::string>& names, const std::string& name) {
    return static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
}

/// Blue, vermilion and the four categories: here nothing is soft or hard.
QColor methodColor(std::size_t method) {
    const ThemeColors& c = colors();
    const std::array<QColor, 6> palette = {c.soft,          c.hard,          c.categories[0],
                                           c.categories[1], c.categories[2], c.categories[3]};
    return palette[method % palette.size()];
}

Qt::PenStyle groupLine(std::size_t group) {
    constexpr std::array kStyles = {Qt::SolidLine, Qt::DashDotLine, Qt::DotLine, Qt::DashDotDotLine};
    return kStyles[group % kStyles.size()];
}

}  // namespace

bool ParetoState::isShown(const report::RunFigures& run) const {
    return std::isfinite(costOf(run)) && std::isfinite(run.top1) && (group.empty() || run.group() == group);
}

double ParetoState::fullPrecision(const std::string& name) const {
    double full = report::kNoValue;
    for (const report::RunFigures& run : runs) {
        if (run.group() == name) full = std::fmax(full, run.top1Fp32);
    }
    return full;
}

std::vector<std::string> ParetoState::groups() const {
    if (!group.empty()) return {group};
    return report::groupsOf(runs);
}

std::vector<std::size_t> ParetoState::order() const {
    std::vector<std::size_t> shown;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (isShown(runs[i])) shown.push_back(i);
    }
    std::ranges::stable_sort(shown, {}, [this](std::size_t i) { return costOf(runs[i]); });
    return shown;
}

ParetoMarks::ParetoMarks(QCPAxisRect& rect, const ParetoState& state)
    : QCPLayerable(rect.parentPlot(), QStringLiteral("overlay")), m_rect(rect), m_state(state) {}

QCPScatterStyle ParetoMarks::style(std::size_t method, std::size_t group) {
    const QColor color = methodColor(method);
    QCPScatterStyle style(kShapes[method % kShapes.size()], QPen(color, 1.8), QBrush(colors().panel),
                          kMarkSize);
    if (group == 0) {
        style.setBrush(color);
    } else if (group > 1) {
        style.setBrush(QBrush(color, group % 2 == 0 ? Qt::Dense4Pattern : Qt::HorPattern));
    }
    return style;
}

QPointF ParetoMarks::pixelOf(const report::RunFigures& run) const {
    return {m_rect.axis(QCPAxis::atBottom)->coordToPixel(m_state.costOf(run)),
            m_rect.axis(QCPAxis::atLeft)->coordToPixel(run.top1)};
}

void ParetoMarks::draw(QCPPainter* painter) {
    const std::vector<std::string> methods = report::methodsOf(m_state.runs);
    const std::vector<std::string> groups = report::groupsOf(m_state.runs);
    QFont font = mParentPlot->font();
    font.setPointSizeF(font.pointSizeF() * 0.92);
    painter->setFont(font);
    std::vector<QRectF> taken;
    for (const std::size_t i : m_state.order()) {
        const QPointF place = pixelOf(m_state.runs[i]);
        taken.emplace_back(place.x() - 6, place.y() - 6, 12, 12);
        if (const std::optional<QLineF> bar = errorBar(m_state.runs[i]))
            taken.emplace_back(bar->x1(), bar->y1() - kCapSize, bar->length(), 2 * kCapSize);
    }
    drawBaselines(*painter, taken);
    drawNames(*painter, taken);
    for (const std::size_t i : m_state.order()) {
        const report::RunFigures& run = m_state.runs[i];
        const QPointF place = pixelOf(run);
        painter->setBrush(Qt::NoBrush);
        drawErrorBar(*painter, run);
        if (run.path == m_state.current) {
            painter->setPen(QPen(colors().text, 1.4));
            painter->drawEllipse(place, kMarkSize, kMarkSize);
        }
        if (m_state.chosen == i) {
            painter->setPen(QPen(colors().accent, 2));
            painter->drawEllipse(place, kMarkSize + 2, kMarkSize + 2);
        }
        const QCPScatterStyle mark = style(placeOf(methods, run.method), placeOf(groups, run.group()));
        mark.applyTo(painter, mark.pen());
        mark.drawShape(painter, place);
    }
}

std::optional<QLineF> ParetoMarks::errorBar(const report::RunFigures& run) const {
    const report::RunTime* time = m_state.timeOf(run);
    if (!time || !std::isfinite(time->p10Ms) || !std::isfinite(time->p90Ms)) return std::nullopt;
    const QCPAxis* cost = m_rect.axis(QCPAxis::atBottom);
    const double unit = kParetoCosts[m_state.cost].unit;
    const double y = pixelOf(run).y();
    return QLineF(cost->coordToPixel(time->p10Ms / unit), y, cost->coordToPixel(time->p90Ms / unit), y);
}

void ParetoMarks::drawErrorBar(QCPPainter& painter, const report::RunFigures& run) const {
    const std::optional<QLineF> bar = errorBar(run);
    if (!bar) return;
    painter.setPen(QPen(colors().mutedText, 1.4));
    painter.drawLine(*bar);
    const QPointF cap(0, kCapSize);
    for (const QPointF end : {bar->p1(), bar->p2()})
        painter.drawLine(end - cap, end + cap);
}

/// What each dashed line says, above its right end or, where a mark stands there, its left.
void ParetoMarks::drawBaselines(QCPPainter& painter, std::vector<QRectF>& taken) const {
    const QFontMetrics metrics(painter.font());
    const std::vector<std::string> groups = m_state.groups();
    for (const std::string& group : groups) {
        const double full = m_state.fullPrecision(group);
        if (!std::isfinite(full)) continue;
        QString text = QStringLiteral("full precision %1 %").arg(formatFixed(full, 2));
        if (groups.size() > 1) text += QStringLiteral(" (%1)").arg(QString::fromStdString(group));
        const double width = metrics.horizontalAdvance(text);
        const double line = m_rect.axis(QCPAxis::atLeft)->coordToPixel(full);
        const QRectF right(m_rect.right() - width - 4, line - metrics.height() - 1, width, metrics.height());
        const bool isTaken =
            std::ranges::any_of(taken, [&](const QRectF& other) { return other.intersects(right); });
        const QRectF room = isTaken ? right.translated(m_rect.left() + 4 - right.left(), 0) : right;
        painter.setPen(colors().mutedText);
        painter.drawText(room, Qt::AlignCenter | Qt::TextDontClip, text);
        taken.push_back(room);
    }
}

/// Beside the marks, where neither another name nor another mark stands; the chosen one always.
void ParetoMarks::drawNames(QCPPainter& painter, std::vector<QRectF>& taken) const {
    const std::vector<std::size_t> order = m_state.order();
    const QFontMetrics metrics(painter.font());
    const auto tryName = [&](std::size_t i, bool always) {
        const report::RunFigures& run = m_state.runs[i];
        const QString name = QString::fromStdString(run.name);
        const QPointF place = pixelOf(run);
        const double width = metrics.horizontalAdvance(name);
        const double height = metrics.height();
        const QRectF right(place.x() + 11, place.y() - height / 2, width, height);
        const QRectF left = right.translated(-width - 22, 0);
        for (const QRectF& room : {right, left, right.translated(-width / 2 - 11, height),
                                   right.translated(-width / 2 - 11, -height)}) {
            const bool free =
                QRectF(m_rect.rect()).contains(room) &&
                std::ranges::none_of(taken, [&](const QRectF& other) { return other.intersects(room); });
            if (!free && !(always && room == right)) continue;
            painter.fillRect(room, faded(colors().panel, 0.8));  // off the lines behind
            painter.setPen(always ? colors().text : colors().mutedText);
            painter.drawText(room, Qt::AlignCenter | Qt::TextDontClip, name);
            taken.push_back(room);
            return;
        }
    };
    const auto isShown = [&](std::size_t i) { return std::ranges::find(order, i) != order.end(); };
    if (m_state.chosen && isShown(*m_state.chosen)) tryName(*m_state.chosen, true);
    if (order.size() > kMostNamedRuns) return;
    for (const std::size_t i : order) {
        if (m_state.chosen != i) tryName(i, false);
    }
}

MarkLegend::MarkLegend(QCustomPlot* figure) : QCPLayoutElement(figure) {
    setLayer(QStringLiteral("axes"));
    setMargins({});
}

QSize MarkLegend::minimumOuterSizeHint() const {
    return {40, m_keys.empty() ? 0 : QFontMetrics(mParentPlot->font()).height() + 6};
}

QSize MarkLegend::maximumOuterSizeHint() const {
    return {QWIDGETSIZE_MAX, minimumOuterSizeHint().height()};
}

void MarkLegend::draw(QCPPainter* painter) {
    int x = rect().left() + 6;
    for (const Key& key : m_keys) {
        QFont font = mParentPlot->font();
        if (key.bold) font.setWeight(QFont::DemiBold);
        const QFontMetrics metrics(font);
        const int room = rect().right() - x;
        const int width = metrics.horizontalAdvance(key.text);
        if (room < std::min(width, 60) + kMarkRoom) return;
        if (key.mark) {
            painter->setAntialiasing(true);
            key.mark->applyTo(painter, key.mark->pen());
            key.mark->drawShape(painter, QPointF(x + kMarkRoom / 2.0 - 2, rect().center().y() + 0.5));
            x += kMarkRoom;
        }
        painter->setFont(font);
        painter->setPen(key.bold ? colors().text : colors().mutedText);
        painter->drawText(QRect(x, rect().top(), rect().right() - x, rect().height()),
                          Qt::AlignLeft | Qt::AlignVCenter,
                          metrics.elidedText(key.text, Qt::ElideRight, rect().right() - x));
        x += width + kKeyGap;
    }
}

ParetoFigure::ParetoFigure(QWidget* parent, const ParetoState& state)
    : m_state(state),
      m_plot(makeFigure(parent)),
      m_methods(new MarkLegend(m_plot)),
      m_groups(new MarkLegend(m_plot)),
      m_rect(makeAxisRect(*m_plot)),
      m_marks(new ParetoMarks(*m_rect, state)) {
    m_plot->plotLayout()->addElement(0, 0, m_methods);
    m_plot->plotLayout()->addElement(1, 0, m_groups);
    m_plot->plotLayout()->addElement(2, 0, m_rect);
    m_rect->axis(QCPAxis::atLeft)->setLabel(QStringLiteral("top-1 of the deployed weights, %"));
    restyle();
}

QCPGraph* ParetoFigure::addLine(const QPen& pen, QCPGraph::LineStyle style) {
    QCPGraph* line = m_plot->addGraph(m_rect->axis(QCPAxis::atBottom), m_rect->axis(QCPAxis::atLeft));
    line->setPen(pen);
    line->setLineStyle(style);
    m_lines.push_back(line);
    return line;
}

void ParetoFigure::update() {
    QString label = QString::fromUtf8(kParetoCosts[m_state.cost].label);
    if (m_state.isTimed() && !m_state.place.empty())
        label += QStringLiteral(": median, p10 to p90; %1; %2 of %3 runs were timed there")
                     .arg(QString::fromStdString(m_state.place))
                     .arg(std::ranges::count_if(
                         m_state.runs,
                         [this](const report::RunFigures& run) { return m_state.timeOf(run) != nullptr; }))
                     .arg(m_state.runs.size());
    m_rect->axis(QCPAxis::atBottom)->setLabel(label);
    updateRanges();
    updateFronts();
    updateLegends();
}

/// All marks with some air, and the full-precision lines.
void ParetoFigure::updateRanges() {
    QCPRange cost(report::kNoValue, report::kNoValue);
    QCPRange top1(report::kNoValue, report::kNoValue);
    const auto include = [](QCPRange& range, double value) {
        range.lower = std::fmin(range.lower, value);
        range.upper = std::fmax(range.upper, value);
    };
    for (const std::size_t i : m_state.order()) {
        include(cost, m_state.costOf(m_state.runs[i]));
        if (const report::RunTime* time = m_state.timeOf(m_state.runs[i])) {
            include(cost, time->p10Ms / kParetoCosts[m_state.cost].unit);
            include(cost, time->p90Ms / kParetoCosts[m_state.cost].unit);
        }
        include(top1, m_state.runs[i].top1);
        include(top1, m_state.runs[i].top1Fp32);
    }
    if (!std::isfinite(cost.lower)) cost = top1 = {0, 1};
    const double costAir = std::max(0.08 * cost.size(), 0.05 * cost.upper);
    const double top1Air = std::max(0.08 * top1.size(), 0.1);
    m_rect->axis(QCPAxis::atBottom)->setRange(std::max(0.0, cost.lower - costAir), cost.upper + costAir);
    m_rect->axis(QCPAxis::atLeft)->setRange(top1.lower - top1Air, top1.upper + top1Air);
}

void ParetoFigure::updateFronts() {
    for (QCPGraph* line : m_lines)
        m_plot->removeGraph(line);
    m_lines.clear();
    const QCPRange width = m_rect->axis(QCPAxis::atBottom)->range();
    const std::vector<std::string> all = report::groupsOf(m_state.runs);
    for (const std::string& group : m_state.groups()) {
        const Qt::PenStyle line = groupLine(placeOf(all, group));
        std::vector<double> x;
        std::vector<double> y;
        for (const std::size_t i :
             report::paretoFront(m_state.runs, kParetoCosts[m_state.cost].figure, group)) {
            x.push_back(m_state.costOf(m_state.runs[i]));
            y.push_back(m_state.runs[i].top1);
        }
        if (x.empty()) continue;
        // What costs more is at least as good: the front goes on to the right.
        x.push_back(width.upper);
        y.push_back(y.back());
        setGraphData(*addLine(QPen(colors().axis, 1.4, line), QCPGraph::lsStepLeft), x, y);
        const double full = m_state.fullPrecision(group);
        if (std::isfinite(full)) {
            setGraphData(*addLine(QPen(colors().mutedText, 1.2, Qt::DashLine), QCPGraph::lsLine),
                         {width.lower, width.upper}, {full, full});
        }
    }
}

void ParetoFigure::updateLegends() {
    const std::vector<std::string> methods = report::methodsOf(m_state.runs);
    const std::vector<std::string> groups = report::groupsOf(m_state.runs);
    std::vector<MarkLegend::Key> keys = {{QStringLiteral("Methods"), {}, true}};
    for (std::size_t i = 0; i < methods.size(); ++i)
        keys.push_back({QString::fromStdString(methods[i]), ParetoMarks::style(i, 0)});
    m_methods->setKeys(std::move(keys));
    keys = {{groups.size() > 1
                 ? QStringLiteral("%1 networks or image sets: compare within one alone").arg(groups.size())
                 : QStringLiteral("Network"),
             {},
             true}};
    for (std::size_t i = 0; i < groups.size(); ++i) {
        QCPScatterStyle mark = ParetoMarks::style(0, i);
        mark.setPen(QPen(colors().mutedText, 1.8));
        if (i == 0) mark.setBrush(colors().mutedText);
        keys.push_back(
            {QString::fromStdString(groups[i]), groups.size() > 1 ? std::optional(mark) : std::nullopt});
    }
    m_groups->setKeys(std::move(keys));
}

void ParetoFigure::restyle() {
    applyThemeTo(*m_plot);
    update();
}

std::optional<std::size_t> ParetoFigure::runAt(const QPointF& position) const {
    std::optional<std::size_t> nearest;
    double least = kMarkReach;
    for (const std::size_t i : m_state.order()) {
        const QPointF away = m_marks->pixelOf(m_state.runs[i]) - position;
        const double distance = std::hypot(away.x(), away.y());
        if (distance > least) continue;
        least = distance;
        nearest = i;
    }
    return nearest;
}

}  // namespace bitloom::widgets

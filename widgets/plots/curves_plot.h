// The run as four stacked panels over training steps: loss (nats), learning rate, top-1 accuracy soft and
// hard (per cent), quantization MSE (weight units squared). Keeps every row it was given, draws about 1,000
// points per curve (extremes, first, last and event steps in view always among them). Nothing is computed
// while hidden.
#pragma once

#include <QString>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/report/run.h"
#include "engine/report/run_figures.h"
#include "widgets/plots/figure_view.h"

namespace bitloom::widgets {

class CurvesPlot : public FigureView {
    Q_OBJECT

  public:
    explicit CurvesPlot(QWidget* parent = nullptr);
    ~CurvesPlot() override;

    /// Forgets rows, events, the FP32 line, gaps, the current step and the lock of the steps; not other runs.
    void clear();

    /// Rows in order of step. setMetrics replaces all rows; appendMetric replaces the last row when it has
    /// the same step and drops rows that lie after a step that goes back (a resumed run).
    void setMetrics(const std::vector<report::MetricSample>& rows);
    void appendMetric(const report::MetricSample& row);

    void setEvents(const std::vector<report::RunEvent>& events);

    /// Runs that are drawn beneath, the oldest first; the newest of them has the most contrast.
    void setOtherRuns(const std::vector<report::RunFigures>& runs);
    void setOtherRunsShown(bool shown);
    [[nodiscard]] bool otherRunsShown() const;

    /// Top-1 of the full-precision network in per cent; NaN removes the line.
    void setFp32Accuracy(double percent);

    /// Keeps the range of steps when new rows come. Zooming by hand locks it, too.
    void setStepsLocked(bool locked);
    [[nodiscard]] bool stepsLocked() const;

    /// Moves the cursor; the header of each panel shows the values there. Negative removes it.
    void setCurrentStep(std::int64_t step);

    /// Soft/hard gap of each layer; the alarm names the largest.
    void setLayerGaps(const std::vector<std::pair<QString, double>>& gaps);

    /// Whether soft and hard top-1 of the newest evaluation differ by more than kAlarmPoints.
    [[nodiscard]] bool alarm() const;
    static constexpr double kAlarmPoints = 3.0;

    /// All rows, one line each, with a header; empty fields where a value is missing.
    [[nodiscard]] QByteArray csv() const override;

    [[nodiscard]] QSize sizeHint() const override { return {860, 620}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {320, 320}; }

  Q_SIGNALS:
    /// The step of the row nearest to where the person clicked or dragged.
    void stepSelected(qint64 step);
    /// The alarm went on or off, or a newer evaluation changed its figures. `text` is one sentence; empty
    /// when off.
    void alarmChanged(bool on, const QString& text);

  private:
    void updateFigure() override;
    void restyle() override;
    void mouseLeft() override;
    void clicked(const QPointF& position) override;
    void doubleClicked(const QPointF& position) override;
    void mouseMoved(QMouseEvent& event) override;

    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

}  // namespace bitloom::widgets

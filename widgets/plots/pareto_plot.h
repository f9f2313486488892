// Runs beside each other: top-1 of the deployed weights (per cent) against average bits, bytes on disk, bit
// operations or measured milliseconds; the front of those that no other run of the same network and images
// beats. Nothing is computed while hidden.
#pragma once

#include <QString>
#include <memory>
#include <string>
#include <vector>

#include "engine/report/run_figures.h"
#include "widgets/plots/figure_view.h"

namespace bitloom::widgets {

class ParetoPlot : public FigureView {
    Q_OBJECT

  public:
    explicit ParetoPlot(QWidget* parent = nullptr);
    ~ParetoPlot() override;

    /// Replaces all runs; the chosen one stays chosen as long as it is there. Runs of several networks are
    /// drawn apart, each with a front of its own.
    void setRuns(const std::vector<report::RunFigures>& runs);
    /// Files that could not be read, a sentence each; a note names them. Empty: none.
    void setProblems(const std::vector<std::string>& problems);

    /// "bits", "bytes", "bit_operations" or "milliseconds"; other names are ignored.
    void setCost(const QString& name);
    [[nodiscard]] QString cost() const;

    /// Shows the runs of one network and its images alone, "resnet20, cifar10"; empty or unknown: all.
    void setGroup(const QString& group);
    [[nodiscard]] QString group() const;

    /// Shows the times taken at this place (report::RunTime::place); of a place without any those of most
    /// runs.
    void setPlace(const QString& place);
    [[nodiscard]] QString place() const;

    /// Rings the run that the window shows; a path that is not there rings none.
    void setCurrentRun(const QString& path);
    /// Marks a run and tells about it; empty: none. Emits nothing.
    void chooseRun(const QString& path);
    [[nodiscard]] QString chosenRun() const;

    /// One line a run, with a header; empty fields where a value is missing.
    [[nodiscard]] QByteArray csv() const override;

  Q_SIGNALS:
    /// The person clicked on this run, or went to it by the arrow keys.
    void runChosen(const QString& path);
    /// The person wants it loaded: a click, or Enter on the chosen one.
    void runActivated(const QString& path);

  private:
    void updateFigure() override;
    void restyle() override;
    void mouseLeft() override;
    void clicked(const QPointF& position) override;
    void mouseMoved(QMouseEvent& event) override;

    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

}  // namespace bitloom::widgets

// The centre of the window: the views, one at a time as tabs, or two side by side: the current one and the
// one before, in the order of their tabs. The views never move between parents, so their state and size
// survive the switch. GUI thread.
#pragma once

#include <QWidget>
#include <array>

class QLabel;
class QSplitter;
class QTabBar;

namespace bitloom::widgets {
class BitwidthsPlot;
class ComputeBar;
class CurvesPlot;
class DeviceBar;
class DevicePlot;
class EmbeddingPlot;
class FigureView;
class LandscapePlot;
class MixturePlot;
class ParetoPlot;
}  // namespace bitloom::widgets

namespace bitloom::app {

class ViewArea : public QWidget {
    Q_OBJECT

  public:
    enum View { Mixture, Curves, Device, Bitwidths, Pareto, Embedding, Landscape, ViewCount };
    /// Short and lower case: of files, of `bitloom plot --view`.
    [[nodiscard]] static const char* nameOf(View view);

    /// Numbers of the compute bars, by objectName.
    static constexpr const char* kEmbeddingImages = "embeddingImages";
    static constexpr const char* kPerplexity = "embeddingPerplexity";
    static constexpr const char* kEmbeddingSeed = "embeddingSeed";
    static constexpr const char* kLandscapeImages = "landscapeImages";
    static constexpr const char* kGrid = "landscapeGrid";
    static constexpr const char* kLandscapeSeed = "landscapeSeed";

    explicit ViewArea(QWidget* parent = nullptr);

    [[nodiscard]] widgets::MixturePlot& mixture() { return *m_mixture; }
    [[nodiscard]] widgets::CurvesPlot& curves() { return *m_curves; }
    [[nodiscard]] widgets::DevicePlot& device() { return *m_device; }
    [[nodiscard]] const widgets::DevicePlot& device() const { return *m_device; }
    /// Above the device plot.
    [[nodiscard]] widgets::DeviceBar& deviceBar() { return *m_deviceBar; }
    [[nodiscard]] widgets::BitwidthsPlot& bitwidths() { return *m_bitwidths; }
    [[nodiscard]] widgets::ParetoPlot& pareto() { return *m_pareto; }
    [[nodiscard]] widgets::EmbeddingPlot& embedding() { return *m_embedding; }
    [[nodiscard]] const widgets::EmbeddingPlot& embedding() const { return *m_embedding; }
    [[nodiscard]] widgets::LandscapePlot& landscape() { return *m_landscape; }
    /// Above their plots.
    [[nodiscard]] widgets::ComputeBar& embeddingBar() { return *m_embeddingBar; }
    [[nodiscard]] widgets::ComputeBar& landscapeBar() { return *m_landscapeBar; }

    /// The view that is shown, or that the person used last when two are.
    [[nodiscard]] View currentView() const;
    void setCurrentView(View view);
    [[nodiscard]] widgets::FigureView& plot(View view) const { return *m_panes[view].plot; }

    [[nodiscard]] bool sideBySide() const { return m_sideBySide; }
    void setSideBySide(bool sideBySide);

    /// Share of the left view when side by side, per cent.
    [[nodiscard]] int split() const { return m_split; }
    void setSplit(int percent);

  Q_SIGNALS:
    void currentViewChanged();

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    struct Pane {
        widgets::FigureView* plot = nullptr;
        QWidget* whole = nullptr;  ///< with title and bar
        QLabel* title = nullptr;
        QString icon;
        QString purpose;
    };

    /// `bar` stands above the plot; null: none.
    void addView(View view, const QString& title, const QString& purpose, widgets::FigureView* plot,
                 QWidget* bar = nullptr);
    [[nodiscard]] bool isShown(int view) const;
    void viewChosen(int view);
    void arrange();
    void applySplit();
    /// Marks the tab of a view; an empty `alarm` takes the mark away.
    void showAlarm(View view, const QString& alarm);

    bool m_sideBySide = false;
    int m_split = 50;
    int m_current = Mixture;
    int m_beside = Curves;  ///< the other one when side by side: the current one before this
    widgets::MixturePlot* m_mixture;
    widgets::CurvesPlot* m_curves;
    widgets::DevicePlot* m_device;
    widgets::DeviceBar* m_deviceBar;
    widgets::BitwidthsPlot* m_bitwidths;
    widgets::ParetoPlot* m_pareto;
    widgets::EmbeddingPlot* m_embedding;
    widgets::ComputeBar* m_embeddingBar;
    widgets::LandscapePlot* m_landscape;
    widgets::ComputeBar* m_landscapeBar;
    QTabBar* m_tabs;
    QSplitter* m_splitter;
    std::array<Pane, ViewCount> m_panes;
};

}  // namespace bitloom::app

// The figure inside DevicePlot: what was measured on which device and how far to trust it, the whole network
// by kernel family, the traces of clock and temperature, times and shares of the peak by layer; filled from
// one state. Times are milliseconds for one image. Private to widgets/plots.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/report/bench.h"
#include "widgets/plots/device_conditions.h"
#include "widgets/plots/device_elements.h"
#include "widgets/plots/figure_elements.h"

namespace bitloom::widgets {

struct DeviceState {
    std::optional<report::BenchResult> result;
    std::set<std::string> hidden;  ///< families that are switched off
    bool logTimes = false;
    std::string selectedLayer;

    [[nodiscard]] bool shows(const std::string& family) const { return !hidden.contains(family); }
    /// Place of the layer in the result.
    [[nodiscard]] std::optional<int> indexOf(const std::string& layer) const;
};

class DeviceFigure {
  public:
    /// Reads `state` whenever it updates or paints; `state` outlives the figure.
    DeviceFigure(QWidget* parent, const DeviceState& state);

    [[nodiscard]] QCustomPlot& plot() const { return *m_plot; }
    [[nodiscard]] const FamilyBars& familyBars() const { return *m_familyBars; }
    [[nodiscard]] const LayerBars& layerBars() const { return *m_layerBars; }
    [[nodiscard]] const ConditionsPanel& conditions() const { return m_conditions; }

    /// Everything that follows from result and switches. Does not replot.
    void update();

    /// What follows from the size alone: which layer names fit, room for the texts at the bars' ends. True
    /// when that changed something. Does not replot; every replot is followed by it.
    bool fit();

    /// All layers in view. Does not replot.
    void showAllLayers();

    /// Paints the columns of the selected layer and of the one under the mouse, alone.
    void showColumns(std::optional<int> pointed);

    /// Colours of the current theme. Does not replot.
    void restyle();

    /// What lies under the mouse; indices into the result's layers, the sentinel's times and the readings of
    /// temperature and clock.
    struct Spot {
        enum class Kind { Nothing, Family, Layer, Clock, Conditions } kind = Kind::Nothing;
        int index = -1;      ///< of the layer, of the sentinel's time or of the reading
        std::string family;  ///< of Family and Layer
    };
    [[nodiscard]] Spot spotAt(const QPointF& position) const;

  private:
    void assembleTop(QCPLayoutGrid* top);
    void assembleLayers();
    void clampLayers();
    void fitAfterLayout();

    void updateHeader();
    void updateFamilies();
    void updateClock();
    void updateLayers();
    void updatePeak();
    void updateLayerTimes();
    void updateLayerKeys();
    [[nodiscard]] QString msLabel() const;

    const DeviceState& m_state;
    QCustomPlot* m_plot;
    ConditionsPanel m_conditions;
    KeyStrip* m_title = nullptr;
    KeyStrip* m_verdict = nullptr;
    KeyStrip* m_familyKeys = nullptr;
    KeyStrip* m_clockKeys = nullptr;
    KeyStrip* m_layerKeys = nullptr;
    KeyStrip* m_peakKeys = nullptr;
    QCPAxisRect* m_families = nullptr;
    QCPAxisRect* m_clock = nullptr;
    QCPAxisRect* m_layers = nullptr;
    QCPAxisRect* m_peak = nullptr;
    FamilyBars* m_familyBars = nullptr;
    LayerBars* m_layerBars = nullptr;
    LayerColumns* m_columns[2] = {};
    QCPGraph* m_clockTrace = nullptr;
    QCPGraph* m_clockStart = nullptr;     ///< the level of the first time
    QCPGraph* m_peakMarks = nullptr;      ///< of the family that peakFamily() tells
    QCPGraph* m_baselineMarks = nullptr;  ///< of the float baseline, beside it
    std::string m_peakFamily;
    struct Fit {
        double familiesEnd = 0;
        int every = 0;           ///< so many layers share one name
        int angle = 0;           ///< of the names, degrees
        int ticks = 0;           ///< of all axes
        bool conditions = true;  ///< their panel is shown
        bool operator==(const Fit&) const = default;
    };
    Fit m_fit;
    int m_rounds = 0;
    bool m_drawn = false;
};

}  // namespace bitloom::widgets

// A benchmark as a picture: the device and its verdict, the whole network by kernel family, the traces of a
// fixed loop, of temperature and of clocks, times and shares of the peak by layer. Times are milliseconds for
// one image, medians with whiskers from p10 to p90. The float baseline cannot be switched off. Nothing is
// computed while hidden.
#pragma once

#include <QString>
#include <memory>

#include "engine/report/bench.h"
#include "widgets/plots/figure_view.h"

namespace bitloom::widgets {

class DevicePlot : public FigureView {
    Q_OBJECT

  public:
    explicit DevicePlot(QWidget* parent = nullptr);
    ~DevicePlot() override;

    /// Families that a person switched on or off stay so.
    void setResult(const report::BenchResult& result);
    void clear();

    /// Marks a layer; unknown names mark none.
    void selectLayer(const QString& name);

    /// Switches a family on or off, as its button does; unknown families and the float baseline are ignored.
    void setFamilyShown(const QString& family, bool shown);
    [[nodiscard]] bool isFamilyShown(const QString& family) const;

    void setLogTimes(bool on);
    [[nodiscard]] bool logTimes() const;

    /// One line a family of the network, then one a family of each layer, with a header; empty fields where a
    /// value is missing. Every line says on which device, and whether that is emulated.
    [[nodiscard]] QByteArray csv() const override;

    [[nodiscard]] QSize sizeHint() const override { return {860, 620}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {320, 320}; }

  Q_SIGNALS:
    /// The person clicked on this layer.
    void layerSelected(const QString& name);

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

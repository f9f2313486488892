// Test images as points in the plane, full precision beside quantized, coloured by class. The mouse or the
// keyboard choose an image, which is marked in both panels; a click on a class shows it alone. Nothing is
// computed while hidden.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/report/embedding.h"
#include "widgets/plots/figure_view.h"

namespace bitloom::widgets {

class EmbeddingPlot : public FigureView {
    Q_OBJECT

  public:
    explicit EmbeddingPlot(QWidget* parent = nullptr);
    ~EmbeddingPlot() override;

    /// Also one that still forms. Another run's or other images forget what was chosen.
    void setEmbedding(const report::Embedding& embedding);
    void clear();

    /// Those that a network tells right become faint.
    void setWrongOnly(bool on);
    [[nodiscard]] bool wrongOnly() const;

    /// One class alone, the others faint; none: all.
    void setShownClass(std::optional<std::int32_t> shown);
    [[nodiscard]] std::optional<std::int32_t> shownClass() const;

    /// Marks an image in both panels and tells about it; none, or one that is not there: unmarks.
    void selectImage(std::optional<std::size_t> image);
    [[nodiscard]] std::optional<std::size_t> selectedImage() const;

    /// One line an image: number, label, and of each network predicted class, whether that is right, x and y,
    /// with a header.
    [[nodiscard]] QByteArray csv() const override;

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

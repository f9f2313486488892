// Test images as points in the plane, full precision beside quantized, coloured by class. The mouse or the
// keyboard choose an image, which is marked in both panels; a click on a class shows it alone. Nothing is
// computed while hidden.
#pragma once

#include <QByteArray>
#include <QWidget>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/report/embedding.h"

namespace bitloom::widgets {

class EmbeddingPlot : public QWidget {
    Q_OBJECT

  public:
    explicit EmbeddingPlot(QWidget* parent = nullptr);
    ~EmbeddingPlot() override;

    /// Also one that still forms. Another run's or other images forget what was chosen.
    void setEmbedding(const report::Embedding& embedding);
    void clear();
    [[nodiscard]] bool isEmpty() const;

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
    [[nodiscard]] QByteArray csv() const;

    [[nodiscard]] QSize sizeHint() const override { return {860, 520}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {320, 280}; }

  Q_SIGNALS:
    /// An export did not succeed; `message` names the file and the remedy.
    void failed(const QString& message);

  protected:
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

}  // namespace bitloom::widgets

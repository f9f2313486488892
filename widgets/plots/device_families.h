// How the families of kernels look and what they are: the same colour in figure, keys and switches. Floats
// are greys, as the full-precision weights are everywhere; what works on quantized weights is a category. GUI
// thread; private to widgets/plots.
#pragma once

#include <QColor>
#include <QIcon>
#include <QString>
#include <string_view>

#include "widgets/plots/figure_elements.h"

namespace bitloom::widgets {

struct FamilyLook {
    QColor color;
    bool outlined = false;  ///< so that the greys differ in more than their lightness

    [[nodiscard]] KeyStrip::Swatch swatch() const {
        return outlined ? KeyStrip::Swatch::Outline : KeyStrip::Swatch::Box;
    }
};

/// In the colours of the current theme.
[[nodiscard]] FamilyLook lookOf(std::string_view family);

/// What the family is, in one sentence; empty for one that is not known here.
[[nodiscard]] QString purposeOf(std::string_view family);

/// A square of the family's colour.
[[nodiscard]] QIcon swatchOf(std::string_view family);

/// Fills `bar` with the family's look.
void fillBar(QPainter& painter, const QRectF& bar, const FamilyLook& look);

}  // namespace bitloom::widgets

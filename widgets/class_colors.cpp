// See class_colors.h.
#include "widgets/class_colors.h"

#include <array>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

// Neighbouring classes take hues that colour-blind people tell apart. Yellow is darkened on white, blue,
// violet and brown are lightened on dark, as in theme.cpp.
constexpr std::array<QRgb, kClassHues> kOnLight = {0xFF0072B2, 0xFFE69F00, 0xFF009E73, 0xFFCC79A7,
                                                   0xFF56B4E9, 0xFFD55E00, 0xFF6A4FB0, 0xFFBBA800,
                                                   0xFF7A4A2B, 0xFF7C848E};
constexpr std::array<QRgb, kClassHues> kOnDark = {0xFF3C9BE0, 0xFFE69F00, 0xFF14B587, 0xFFDB8FB9, 0xFF8FD0F5,
                                                  0xFFE8743B, 0xFF9D86E0, 0xFFF0E442, 0xFFB98562, 0xFF9AA2AC};

}  // namespace

QColor classColor(std::size_t index) {
    const QColor hue((colors().dark ? kOnDark : kOnLight)[index % kClassHues]);
    switch (index / kClassHues % 3) {
        case 1:
            return hue.lighter(135);
        case 2:
            return hue.darker(150);
        default:
            return hue;
    }
}

}  // namespace bitloom::widgets

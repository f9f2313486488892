// See device_families.h.
#include "widgets/plots/device_families.h"

#include <QCoreApplication>
#include <QPainter>
#include <QPixmap>
#include <algorithm>
#include <functional>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

struct Family {
    std::string_view name;
    const char* purpose;
};

constexpr Family kFamilies[] = {
    {"naive_fp32",
     QT_TRANSLATE_NOOP("DeviceFamilies", "Float weights, plain loops: what a compiler makes of it")},
    {"tuned_fp32",
     QT_TRANSLATE_NOOP("DeviceFamilies", "Float weights, tuned vector kernels: the baseline of every ratio")},
    {"paper_codebook",
     QT_TRANSLATE_NOOP("DeviceFamilies", "The paper's kernel: float codebook extended to pairs of weights")},
    {"k0", QT_TRANSLATE_NOOP("DeviceFamilies", "Packed codebook weights decoded to float: exact results")},
    {"k2", QT_TRANSLATE_NOOP("DeviceFamilies",
                             "Packed codebook weights and int8 activations, integer dot products")},
    {"onednn_fp32_direct",
     QT_TRANSLATE_NOOP("DeviceFamilies", "oneDNN with float weights, the same multiplications as ours")},
    {"onednn_fp32",
     QT_TRANSLATE_NOOP("DeviceFamilies", "oneDNN with float weights, layer by layer its fastest algorithm")},
    {"onednn_int8",
     QT_TRANSLATE_NOOP("DeviceFamilies", "oneDNN with int8 weights: a widespread library as a rival")},
};

constexpr int kIconSize = 16;

}  // namespace

FamilyLook lookOf(std::string_view family) {
    const ThemeColors& c = colors();
    if (family == "naive_fp32") return {c.axis, true};
    if (family == "tuned_fp32") return {c.axis};
    if (family == "onednn_fp32_direct") return {c.mutedText};
    if (family == "onednn_fp32") return {c.mutedText, true};
    if (family == "k2") return {c.category(0)};
    if (family == "k0") return {c.category(1)};
    if (family == "paper_codebook") return {c.category(2)};
    if (family == "onednn_int8") return {c.category(3)};
    return {c.category(std::hash<std::string_view>{}(family)), true};
}

QString purposeOf(std::string_view family) {
    const auto* found = std::ranges::find(kFamilies, family, &Family::name);
    if (found == std::end(kFamilies)) return {};
    return QCoreApplication::translate("DeviceFamilies", found->purpose);
}

QIcon swatchOf(std::string_view family) {
    QPixmap pixmap(kIconSize, kIconSize);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    fillBar(painter, QRectF(3, 3, 10, 10), lookOf(family));
    return {pixmap};
}

void fillBar(QPainter& painter, const QRectF& bar, const FamilyLook& look) {
    if (!look.outlined || bar.width() < 3 || bar.height() < 3) {
        painter.fillRect(bar, look.color);
        return;
    }
    painter.fillRect(bar, faded(look.color, 0.25));
    painter.setPen(QPen(look.color, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5));
}

}  // namespace bitloom::widgets

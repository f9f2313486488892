// Numbers as a person reads them: thin spaces between thousands, a true minus sign, powers of ten, a dash
// where there is no value. Display only; files and CSV write plain numbers.
#pragma once

#include <QByteArray>
#include <QString>
#include <cstdint>
#include <vector>

namespace bitloom::widgets {

/// "2 359 296", the spaces narrow and unbreakable.
[[nodiscard]] QString formatCount(std::int64_t value);

/// Fixed decimals; a dash for NaN.
[[nodiscard]] QString formatFixed(double value, int decimals);

/// `digits` significant digits: "0.0123" from 0.001 up to 100 000, else "1.23×10⁻⁵". A dash for NaN, "0" for
/// zero.
[[nodiscard]] QString formatNumber(double value, int digits = 3);

/// Label of an axis tick: the digits it needs and no more, up to six.
[[nodiscard]] QString formatTick(double value);

/// Always a power of ten, so that a column of errors can be compared at a glance: "1.23×10⁻⁵".
[[nodiscard]] QString formatScientific(double value, int digits = 3);

/// Bits per weight: "4", "2.67".
[[nodiscard]] QString formatBits(double bits);

/// SI units with three digits: "812 B", "1.08 MB".
[[nodiscard]] QString formatBytes(std::int64_t bytes);

/// "42 s", "3 min 05 s", "2 h 07 min"; a dash for NaN and negative values.
[[nodiscard]] QString formatDuration(double seconds);

/// "16×3×3×3"; a dash without extents.
[[nodiscard]] QString formatShape(const std::vector<std::int64_t>& shape);

/// What stands where there is no value.
[[nodiscard]] QString noValueText();

/// Of the network that a quantized one is compared with: "Full precision", or "Before training" where a run
/// began with random numbers.
[[nodiscard]] QString startName(bool pretrained);

/// The shortest text that reads back as the same double, for CSV; empty for NaN.
[[nodiscard]] QByteArray csvNumber(double value);

}  // namespace bitloom::widgets

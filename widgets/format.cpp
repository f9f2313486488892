// See format.h. No locale is asked: a figure reads the same on every machine and in every picture.
#include "widgets/format.h"

#include <QLocale>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace bitloom::widgets {
namespace {

constexpr QChar kMinus(0x2212);
constexpr QChar kThinSpace(0x202F);  // narrow and no-break

/// Groups the integer part of a plain decimal and puts the true minus sign.
QString typeset(QString plain) {
    const bool negative = plain.startsWith(QLatin1Char('-'));
    if (negative) plain.remove(0, 1);
    const qsizetype dot = plain.indexOf(QLatin1Char('.'));
    for (qsizetype at = (dot < 0 ? plain.size() : dot) - 3; at > 0; at -= 3)
        plain.insert(at, kThinSpace);
    if (negative) plain.prepend(kMinus);
    return plain;
}

QString superscript(int exponent) {
    static constexpr std::array<ushort, 10> kDigits = {0x2070, 0x00B9, 0x00B2, 0x00B3, 0x2074,
                                                       0x2075, 0x2076, 0x2077, 0x2078, 0x2079};
    QString text;
    for (const QChar digit : QString::number(std::abs(exponent)))
        text += QChar(kDigits[digit.digitValue()]);
    if (exponent < 0) text.prepend(QChar(0x207B));
    return text;
}

}  // namespace

QString startName(bool pretrained) {
    return pretrained ? QStringLiteral("Full precision") : QStringLiteral("Before training");
}

QString noValueText() {
    return QString(QChar(0x2013));
}

QString formatCount(std::int64_t value) {
    return typeset(QString::number(value));
}

QString formatFixed(double value, int decimals) {
    if (!std::isfinite(value)) return noValueText();
    const QString plain = QString::number(value, 'f', decimals);
    // "-0.00" says less than "0.00".
    return typeset(plain.toDouble() == 0 && plain.startsWith(QLatin1Char('-')) ? plain.mid(1) : plain);
}

QString formatScientific(double value, int digits) {
    if (!std::isfinite(value)) return noValueText();
    if (value == 0) return QStringLiteral("0");
    const QString plain = QString::number(value, 'e', digits - 1);
    const qsizetype e = plain.indexOf(QLatin1Char('e'));
    return typeset(plain.left(e)) + QChar(0x00D7) + QStringLiteral("10") +
           superscript(plain.mid(e + 1).toInt());
}

QString formatNumber(double value, int digits) {
    if (!std::isfinite(value)) return noValueText();
    if (value == 0) return QStringLiteral("0");
    const QString rounded = QString::number(value, 'e', digits - 1);
    const int exponent = rounded.mid(rounded.indexOf(QLatin1Char('e')) + 1).toInt();
    if (exponent >= -3 && exponent < 5) return formatFixed(value, std::max(0, digits - 1 - exponent));
    return formatScientific(value, digits);
}

QString formatBits(double bits) {
    return formatFixed(bits, bits == std::round(bits) ? 0 : 2);
}

QString formatTick(double value) {
    // From one thousandth down powers of ten are shorter than zeros.
    const bool small = value != 0 && std::abs(value) < 0.99e-3;
    constexpr int kDigits = 6;
    const QString plain = QString::number(value, small ? 'e' : 'g', kDigits);
    const qsizetype e = plain.indexOf(QLatin1Char('e'));
    if (e < 0) return typeset(plain);
    const QString mantissa = QString::number(plain.left(e).toDouble(), 'g', kDigits);
    const QString power = QStringLiteral("10") + superscript(plain.mid(e + 1).toInt());
    return mantissa == QLatin1String("1") ? power : typeset(mantissa) + QChar(0x00D7) + power;
}

QString formatBytes(std::int64_t bytes) {
    static constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (std::abs(value) >= 999.5 && unit + 1 < kUnits.size()) {
        value /= 1000;
        ++unit;
    }
    const double size = std::abs(value);
    const int decimals = unit == 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
    return formatFixed(value, decimals) + kThinSpace + QLatin1String(kUnits[unit]);
}

QString formatDuration(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0) return noValueText();
    const auto whole = static_cast<std::int64_t>(std::llround(seconds));
    const auto two = [](std::int64_t value) {
        return QStringLiteral("%1").arg(value, 2, 10, QLatin1Char('0'));
    };
    if (whole < 60) return QStringLiteral("%1 s").arg(whole);
    if (whole < 3600) return QStringLiteral("%1 min %2 s").arg(whole / 60).arg(two(whole % 60));
    return QStringLiteral("%1 h %2 min").arg(formatCount(whole / 3600), two(whole / 60 % 60));
}

QString formatShape(const std::vector<std::int64_t>& shape) {
    QStringList parts;
    for (const std::int64_t extent : shape)
        parts += QString::number(extent);
    return parts.isEmpty() ? noValueText() : parts.join(QChar(0x00D7));
}

QByteArray csvNumber(double value) {
    return std::isfinite(value) ? QByteArray::number(value, 'g', QLocale::FloatingPointShortest)
                                : QByteArray();
}

}  // namespace bitloom::widgets

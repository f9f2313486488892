// Text in a table of comma-separated values. Private to widgets/plots.
#pragma once

#include <QByteArray>
#include <string>

namespace bitloom::widgets {

/// Quoted where a comma, a quote or a line's end would part the field.
[[nodiscard]] inline QByteArray csvField(const std::string& text) {
    QByteArray bytes = QByteArray::fromStdString(text);
    if (text.find_first_of(",\"\r\n") == std::string::npos) return bytes;
    return '"' + bytes.replace("\"", "\"\"") + '"';
}

}  // namespace bitloom::widgets

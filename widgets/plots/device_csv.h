// A benchmark as a table for other programs. Pure; private to widgets/plots.
#pragma once

#include <QByteArray>

#include "engine/report/bench.h"

namespace bitloom::widgets {

/// See DevicePlot::csv.
[[nodiscard]] QByteArray benchCsv(const report::BenchResult& result);

}  // namespace bitloom::widgets

// Small made-up runs for the widget tests, and what several of them need.
#pragma once

#include <QAbstractItemModel>
#include <QString>
#include <string>
#include <vector>

#include "engine/report/run.h"
#include "engine/report/snapshot.h"

namespace bitloom::testing {

/// Components evenly spread over [-0.3, 0.3], equal widths, counts 10, 20, 30...; component 0 is the zero.
[[nodiscard]] report::Mixture makeMixture(int components);

/// A layer of `mixtures` mixtures (0 for full precision) with 256 bins over [-0.4, 0.4).
[[nodiscard]] report::LayerSnapshotPtr makeSnapshot(const std::string& layer, int components,
                                                    int mixtures = 1);

/// conv1, layer1.0.conv1, layer1.0.conv2, layer1.1.conv1, linear.
[[nodiscard]] report::NetworkInfo makeNetwork();

/// Rows at every second step; every tenth row is evaluated, with `gap` points between soft and hard.
[[nodiscard]] std::vector<report::MetricSample> makeRows(int count, double gap = 0.5);

/// A model as text: a line a row, two spaces a level, cells parted by " | ", thin spaces written plain.
[[nodiscard]] std::string print(const QAbstractItemModel& model, int role = Qt::DisplayRole);

/// `text` with thin spaces and true minus signs written plain.
[[nodiscard]] std::string plain(QString text);

/// Lets queued replots and layout requests happen.
void settle();

}  // namespace bitloom::testing

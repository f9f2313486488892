#include "widgets/models/codebook_model.h"

#include <QAbstractItemModelTester>
#include <QBrush>
#include <QSignalSpy>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"
#include "widgets/format.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using testing::makeMixture;
using testing::print;

TEST(CodebookModel, PrintsComponents) {
    CodebookModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Warning);
    model.setMixture(makeMixture(4));
    EXPECT_EQ(print(model),
              "0 | 0.0000 | 0.2500 | 0.0625 | 10\n"
              "1 | -0.1500 | 0.2500 | 0.0625 | 20\n"
              "2 | 0.1500 | 0.2500 | 0.0625 | 30\n"
              "3 | -0.3000 | 0.2500 | 0.0625 | 40\n");
    EXPECT_EQ(model.index(2, CodebookModel::Index).data(Qt::DecorationRole).value<QColor>(),
              colors().category(2));
    model.setMixture({});
    EXPECT_EQ(print(model), "");
}

TEST(CodebookModel, ValuesOfAFixedSetHaveNoDeviation) {
    CodebookModel model;
    model.setMixture({{{0.25, -0.5, 0, 10}, {0.75, 0.5, 0, 30}}, 1});
    const std::string none = noValueText().toStdString();
    EXPECT_EQ(print(model),
              "0 | -0.5000 | 0.2500 | " + none + " | 10\n1 | 0.5000 | 0.7500 | " + none + " | 30\n");
}

TEST(CodebookModel, SignalsWhatChanged) {
    CodebookModel model;
    QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
    QSignalSpy changed(&model, &QAbstractItemModel::dataChanged);
    report::Mixture mixture = makeMixture(16);
    model.setMixture(mixture);
    EXPECT_EQ(reset.count(), 1);
    model.setMixture(mixture);
    EXPECT_EQ(changed.count(), 0);
    mixture.components[3].mu = 0.5;
    model.setMixture(mixture);
    EXPECT_EQ(changed.count(), 1);
    EXPECT_EQ(reset.count(), 1);
    model.setMixture(makeMixture(256));
    EXPECT_EQ(reset.count(), 2);
    EXPECT_EQ(model.rowCount(), 256);
}

TEST(CodebookModel, ComponentsWithoutWeightsAreGrey) {
    CodebookModel model;
    report::Mixture mixture = makeMixture(4);
    mixture.components[1].count = 0;
    model.setMixture(mixture);
    EXPECT_EQ(model.index(1, CodebookModel::Mu).data(Qt::ForegroundRole).value<QBrush>().color(),
              colors().disabledText);
    EXPECT_FALSE(model.index(2, CodebookModel::Mu).data(Qt::ForegroundRole).isValid());
}

}  // namespace
}  // namespace bitloom::widgets

#include "widgets/controls/runs_panel.h"

#include <QAbstractItemModelTester>
#include <QAction>
#include <QSignalSpy>
#include <QTest>
#include <QTreeView>

#include <gmock/gmock.h>

#include "tests/widgets/widget_data.h"

namespace bitloom::widgets {
namespace {

using testing::print;
using testing::settle;

std::vector<report::RunFigures> twoRuns() {
    report::RunFigures done;
    done.path = "/runs/done.h5";
    done.name = "done";
    done.network = "resnet20";
    done.images = "cifar10";
    done.method = "dgms";
    done.top1 = 91.1;
    done.bits = 2;
    done.bytes = 104'700;
    done.status = report::RunStatus::Finished;
    report::RunFigures young = done;
    young.path = "/runs/young.h5";
    young.name = "young";
    young.top1 = young.bytes = report::kNoValue;
    young.status = report::RunStatus::Running;
    return {done, young};
}

TEST(RunModel, ShowsFiguresAndDashes) {
    RunModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.setRuns(twoRuns());
    EXPECT_EQ(print(model),
              "done | resnet20, cifar10 | dgms | 2 | 105 kB | 91.10 | finished\n"
              "young | resnet20, cifar10 | dgms | 2 | – | – | running\n");
    model.setCurrentRun(QStringLiteral("/runs/young.h5"));
    EXPECT_FALSE(model.index(0, 0).data(Qt::FontRole).value<QFont>().bold());
    EXPECT_TRUE(model.index(1, 0).data(Qt::FontRole).value<QFont>().bold());
    EXPECT_EQ(model.rowOf(QStringLiteral("/runs/young.h5")), 1);
    EXPECT_EQ(model.rowOf(QStringLiteral("/runs/absent.h5")), -1);
    EXPECT_TRUE(model.path(2).isEmpty());
}

TEST(RunsPanel, ChoosesLoadsAndRemoves) {
    RunsPanel panel;
    panel.resize(500, 200);
    panel.setRuns(twoRuns());
    panel.show();
    settle();
    auto* view = panel.findChild<QTreeView*>(QStringLiteral("runs"));
    QSignalSpy chosen(&panel, &RunsPanel::runChosen);
    QSignalSpy activated(&panel, &RunsPanel::runActivated);
    QSignalSpy removed(&panel, &RunsPanel::runRemoved);
    const QPoint second = view->visualRect(panel.model().index(1, 0)).center();
    QTest::mouseClick(view->viewport(), Qt::LeftButton, {}, second);
    ASSERT_EQ(chosen.size(), 1);
    EXPECT_EQ(chosen.front().front().toString(), QStringLiteral("/runs/young.h5"));
    QTest::mouseDClick(view->viewport(), Qt::LeftButton, {}, second);
    EXPECT_EQ(activated.size(), 1);
    view->setFocus();
    QTest::keyClick(view, Qt::Key_Return);
    EXPECT_EQ(activated.size(), 2);
    QTest::keyClick(view, Qt::Key_Delete);
    ASSERT_EQ(removed.size(), 1);
    panel.chooseRun(QStringLiteral("/runs/done.h5"));
    EXPECT_EQ(panel.chosenRun(), QStringLiteral("/runs/done.h5"));
    EXPECT_EQ(chosen.size(), 1) << "what the program does is not told";
    panel.setRuns({twoRuns()[1]});
    EXPECT_TRUE(panel.chosenRun().isEmpty());
}

}  // namespace
}  // namespace bitloom::widgets

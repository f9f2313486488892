// Job bar, log panel, error bar and the scroll area around the inspector.
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QProgressBar>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>
#include <QVBoxLayout>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"
#include "widgets/controls/error_bar.h"
#include "widgets/controls/job_bar.h"
#include "widgets/controls/log_panel.h"
#include "widgets/controls/summary_panel.h"
#include "widgets/controls/vertical_scroll_area.h"
#include "widgets/format.h"

namespace bitloom::widgets {
namespace {

using testing::plain;
using testing::settle;

template <class Widget>
Widget* child(const QWidget& parent, const char* name) {
    return parent.findChild<Widget*>(QString::fromUtf8(name));
}

std::string text(const QWidget& parent, const char* name) {
    return plain(child<QLabel>(parent, name)->text());
}

TEST(SummaryPanel, StatesEveryFigureOrADash) {
    SummaryPanel panel;
    for (const QLabel* value : panel.findChildren<QLabel*>()) {
        const bool isTitle = value->objectName().isEmpty();
        EXPECT_TRUE(isTitle || value->text() == noValueText()) << value->objectName().toStdString();
    }
    report::RunSummary summary;
    panel.setSummary(summary);
    EXPECT_EQ(text(panel, "summaryNonzero"), plain(noValueText())) << "-1 is no count";
    summary.top1Hard = 91.084;
    summary.bits = 2;
    summary.sparsity = 0.25;
    summary.nonzeroParameters = 143'513;
    summary.weightCompression = 16;
    summary.compressionRate = 21.339;
    summary.fileBytes = 104'700;
    summary.fileCompression = 10.4;
    summary.bitOps = 2.5375e9;
    summary.meanBitsBytes = 70'000;
    summary.meanBitsBitOps = 2.25e9;
    summary.mse = 1.5e-5;
    panel.setSummary(summary);
    EXPECT_EQ(text(panel, "summaryTop1Hard"), "91.08 %");
    EXPECT_EQ(text(panel, "summaryTop1Soft"), plain(noValueText()));
    EXPECT_EQ(text(panel, "summaryBits"), "2");
    EXPECT_EQ(text(panel, "summarySparsity"), "25.00 %");
    EXPECT_EQ(text(panel, "summaryNonzero"), "143 513");
    EXPECT_EQ(text(panel, "summaryWcr"), "16.00 ×");
    EXPECT_EQ(text(panel, "summaryCr"), "21.34 ×");
    EXPECT_EQ(text(panel, "summaryFile"), "105 kB");
    EXPECT_EQ(text(panel, "summaryFileCompression"), "10.40 ×");
    EXPECT_EQ(text(panel, "summaryBitOps"), "2.538 G");
    EXPECT_EQ(text(panel, "summaryMeanBytes"), "70.0 kB");
    EXPECT_EQ(text(panel, "summaryMeanBitOps"), "2.250 G");
    EXPECT_EQ(text(panel, "summaryMse"), "1.50×10⁻⁵");
}

TEST(JobBar, ShowsProgressByState) {
    JobBar bar;
    EXPECT_EQ(text(bar, "phase"), "No job");
    EXPECT_EQ(text(bar, "rate"), "");
    bar.setState(JobBar::State::Running);
    EXPECT_EQ(child<QProgressBar>(bar, "progress")->maximum(), 0) << "busy while the total is unknown";
    report::Progress progress;
    progress.phase = "training";
    progress.step = 1170;
    progress.totalSteps = 3900;
    progress.stepsPerSecond = 12.34;
    progress.secondsLeft = 221;
    bar.setProgress(progress);
    EXPECT_EQ(text(bar, "phase"), "Training");
    EXPECT_EQ(text(bar, "rate"), "1 170 / 3 900  ·  12.3 steps/s  ·  3 min 41 s left");
    EXPECT_EQ(child<QProgressBar>(bar, "progress")->value(), 300);
    bar.setState(JobBar::State::Paused);
    EXPECT_EQ(text(bar, "phase"), "Paused");
    bar.setState(JobBar::State::Stopped);
    EXPECT_EQ(text(bar, "phase"), "Stopped");
    EXPECT_EQ(child<QProgressBar>(bar, "progress")->value(), 300) << "what was done stays in sight";
    EXPECT_EQ(text(bar, "rate"), "1 170 / 3 900");
    bar.setState(JobBar::State::Finished);
    EXPECT_EQ(text(bar, "phase"), "Finished");
    EXPECT_EQ(child<QProgressBar>(bar, "progress")->value(), 1000);
    EXPECT_EQ(text(bar, "rate"), "1 170 / 3 900");
    bar.setState(JobBar::State::Idle);
    EXPECT_EQ(child<QProgressBar>(bar, "progress")->value(), 0);
}

TEST(JobBar, HeadlineFigures) {
    JobBar bar;
    EXPECT_EQ(text(bar, "top1Hard"), "–");
    EXPECT_EQ(text(bar, "fileSize"), "–");
    report::RunSummary summary;
    summary.top1Fp32 = 91.73;
    summary.top1Soft = 91.2;
    summary.top1Hard = 90.865;
    summary.bits = 4;
    summary.fileBytes = 142'312;
    summary.fileCompression = 7.6;
    bar.setSummary(summary);
    EXPECT_EQ(text(bar, "top1Fp32"), "91.73 %");
    EXPECT_EQ(text(bar, "top1Soft"), "91.20 %");
    EXPECT_EQ(text(bar, "bits"), "4");
    EXPECT_EQ(text(bar, "fileSize"), "142 kB");
    EXPECT_NE(plain(child<QLabel>(bar, "fileSize")->toolTip()).find("142 312 bytes"), std::string::npos);
}

TEST(JobBar, ButtonsAreTheActions) {
    JobBar bar;
    QAction start(QStringLiteral("Start"));
    QAction pause(QStringLiteral("Pause"));
    QAction stop(QStringLiteral("Stop"));
    start.setObjectName(QStringLiteral("startJob"));
    pause.setEnabled(false);
    bar.setActions(&start, &pause, &stop);
    bar.resize(900, 52);
    bar.show();
    settle();
    QSignalSpy started(&start, &QAction::triggered);
    QTest::mouseClick(child<QToolButton>(bar, "startJob"), Qt::LeftButton);
    EXPECT_EQ(started.count(), 1);
    int disabled = 0;
    for (const QToolButton* button : bar.findChildren<QToolButton*>())
        disabled += !button->isEnabled();
    EXPECT_EQ(disabled, 1);
}

TEST(LogPanel, KeepsLinesAndCopiesTheCommand) {
    LogPanel panel;
    panel.resize(600, 160);
    panel.show();
    panel.appendLine(QStringLiteral("one"));
    panel.appendLine(QStringLiteral("two <b>not bold</b>"));
    EXPECT_EQ(panel.text(), QStringLiteral("one\ntwo <b>not bold</b>"));
    EXPECT_FALSE(child<QLineEdit>(panel, "command")->isVisible());
    panel.setCommand(QStringLiteral("bitloom train job.toml --out run.h5"));
    EXPECT_TRUE(child<QLineEdit>(panel, "command")->isVisible());
    QTest::mouseClick(child<QToolButton>(panel, "copyCommand"), Qt::LeftButton);
    EXPECT_EQ(QApplication::clipboard()->text(), QStringLiteral("bitloom train job.toml --out run.h5"));
}

TEST(LogPanel, ForgetsTheOldestLines) {
    LogPanel panel;
    for (int i = 0; i < LogPanel::kMaximumLines + 10; ++i)
        panel.appendLine(QString::number(i));
    EXPECT_EQ(child<QPlainTextEdit>(panel, "logText")->blockCount(), LogPanel::kMaximumLines);
    EXPECT_TRUE(panel.text().endsWith(QString::number(LogPanel::kMaximumLines + 9)));
}

TEST(ErrorBar, ShowsHeadlineAndDetails) {
    QWidget window;
    window.resize(700, 300);
    ErrorBar bar(&window);
    bar.resize(700, 200);
    window.show();
    EXPECT_FALSE(bar.isVisible());
    bar.showError(QStringLiteral("run.h5: cannot be opened. Check the path.\nHDF5 said: no such file\n"));
    EXPECT_TRUE(bar.isVisible());
    EXPECT_EQ(text(bar, "headline"), "run.h5: cannot be opened. Check the path.");
    auto* details = child<QPlainTextEdit>(bar, "details");
    EXPECT_FALSE(details->isVisible());
    settle();
    QTest::mouseClick(child<QToolButton>(bar, "more"), Qt::LeftButton);
    EXPECT_TRUE(details->isVisible());
    EXPECT_EQ(details->toPlainText(), QStringLiteral("HDF5 said: no such file"));
    QTest::mouseClick(child<QToolButton>(bar, "copy"), Qt::LeftButton);
    EXPECT_EQ(QApplication::clipboard()->text(), bar.message());
    QTest::mouseClick(child<QToolButton>(bar, "close"), Qt::LeftButton);
    EXPECT_FALSE(bar.isVisible());
    EXPECT_TRUE(bar.message().isEmpty());
}

TEST(ErrorBar, OneLineHasNoDetails) {
    QWidget window;
    ErrorBar bar(&window);
    window.show();
    bar.showError(QStringLiteral("disk full"));
    EXPECT_TRUE(bar.isVisible());
    EXPECT_FALSE(child<QToolButton>(bar, "more")->isVisible());
    bar.showError(QStringLiteral("  \n "));
    EXPECT_FALSE(bar.isVisible()) << "an empty message clears";
}

TEST(VerticalScrollAreaTest, IsAsWideAsItsContentNeedsNow) {
    auto* content = new QWidget;
    auto* column = new QVBoxLayout(content);
    auto* part = new QWidget;
    part->setMinimumWidth(120);
    column->addWidget(part);
    VerticalScrollArea area(content);
    area.resize(50, 50);
    area.show();
    QCoreApplication::processEvents();
    EXPECT_GE(area.minimumWidth(), 120);
    part->setMinimumWidth(300);
    ASSERT_TRUE(QTest::qWaitFor([&area] { return area.minimumWidth() >= 300; }));
    EXPECT_GE(area.viewport()->width(), content->minimumSizeHint().width());
}

}  // namespace
}  // namespace bitloom::widgets

// Runs the widget tests in one QApplication without a screen. A warning from Qt or QCustomPlot fails the test
// at hand.
#include <QApplication>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "widgets/theme.h"

namespace {

void failOnWarning(QtMsgType type, const QMessageLogContext&, const QString& message) {
    // The offscreen platform and a bare environment say these of themselves.
    if (message.contains(QLatin1String("propagateSizeHints")) ||
        message.contains(QLatin1String("XDG_RUNTIME_DIR"))) {
        return;
    }
    // QCustomPlot reports misuse as debug messages.
    if (type != QtInfoMsg) ADD_FAILURE() << "Qt says: " << message.toStdString();
}

}  // namespace

int main(int argc, char** argv) {
    ::testing::InitGoogleMock(&argc, argv);
    ::setenv("QT_QPA_PLATFORM", "offscreen", 0);
    const QApplication application(argc, argv);
    bitloom::widgets::applyTheme(*qApp, bitloom::widgets::Theme::Light);
    qInstallMessageHandler(failOnWarning);
    const int failed = RUN_ALL_TESTS();
    qInstallMessageHandler(nullptr);
    return failed;
}

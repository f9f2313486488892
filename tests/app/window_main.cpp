// main() of the window's tests: draws offscreen, and any Qt warning fails the test in which it appears.
#include <QApplication>
#include <cstdio>

#include <gtest/gtest.h>

namespace {

void failOnWarning(QtMsgType type, const QMessageLogContext&, const QString& message) {
    // The offscreen platform says this of every raise(); it has no window manager to obey.
    if (message.contains(QLatin1String("This plugin does not support"))) return;
    std::fprintf(stderr, "%s\n", qPrintable(message));
    if (type == QtWarningMsg || type == QtCriticalMsg)
        ADD_FAILURE() << "Qt warning: " << message.toStdString();
}

}  // namespace

int main(int argc, char** argv) {
    qputenv("QT_QPA_PLATFORM", "offscreen");
    ::testing::InitGoogleTest(&argc, argv);
    qInstallMessageHandler(failOnWarning);
    const QApplication application(argc, argv);
    return RUN_ALL_TESTS();
}

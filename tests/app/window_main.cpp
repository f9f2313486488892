// main() of the window's tests: draws offscreen, and any Qt warning fails the test in which it appears.
#include <QApplication>
#include <QTemporaryDir>
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
    const QTemporaryDir runtime;  // Qt warns where the system gives no private folder
    if (qEnvironmentVariableIsEmpty("XDG_RUNTIME_DIR")) qputenv("XDG_RUNTIME_DIR", runtime.path().toUtf8());
    ::testing::InitGoogleTest(&argc, argv);
    const QApplication application(argc, argv);
    qInstallMessageHandler(
        failOnWarning);  // what Qt says of a bare environment while it starts is no failure
    return RUN_ALL_TESTS();
}

#include <csignal>

#include "app/cli.h"

int main(int argc, char** argv) {
    // A file that outgrows its limit is an error with a remedy, not a signal that ends the program.
    std::signal(SIGXFSZ, SIG_IGN);
    bitloom::app::FrontEnd frontEnd;
#ifdef BITLOOM_GUI
    frontEnd.window = bitloom::app::runWindow;
    frontEnd.plot = [](const auto& options, auto& sink, auto& control) {
        return bitloom::app::plotRun(options, sink, control);
    };
#endif
    return bitloom::app::runCli(argc, argv, frontEnd);
}

#include "app/cli.h"

int main(int argc, char** argv) {
    bitloom::app::FrontEnd frontEnd;
#ifdef BITLOOM_GUI
    frontEnd.window = bitloom::app::runWindow;
    frontEnd.plot = bitloom::app::plotRun;
#endif
    return bitloom::app::runCli(argc, argv, frontEnd);
}

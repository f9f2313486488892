// The project keeps to its architecture; and the checker finds what it should in made-up trees.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/architecture/include_rules.h"
#include "tests/support/test_paths.h"

namespace bitloom::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A made-up project.
class Tree {
  public:
    void add(const std::string& file, const std::string& text) const {
        const std::filesystem::path path = m_folder / file;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
    [[nodiscard]] std::vector<std::string> violations() const {
        std::vector<std::string> texts;
        for (const Violation& violation : findViolations(m_folder.path()))
            texts.push_back(violation.text());
        return texts;
    }

  private:
    TemporaryFolder m_folder;
};

TEST(Architecture, ProjectKeepsToIt) {
    EXPECT_GT(countIncludes(projectRoot()), 100u) << "the sources were not found";
    for (const Violation& violation : findViolations(projectRoot()))
        ADD_FAILURE() << violation.text();
}

TEST(IncludeRules, AllowedArrowsPass) {
    const Tree tree;
    tree.add("engine/base/result.h", "");
    tree.add("engine/report/run.h", "#include \"engine/base/result.h\"\n#include <vector>\n");
    tree.add("engine/record/h5.h", "#include <hdf5.h>\n");
    tree.add("engine/record/reader.cpp", "#include \"engine/report/run.h\"\n#include \"h5.h\"\n");
    tree.add("engine/quant/quantizer.h", "#include <torch/torch.h>\n");
    tree.add("engine/jobs/job.cpp",
             "#include \"engine/record/h5.h\"\n#include \"engine/quant/quantizer.h\"\n");
    tree.add("engine/jobs/job.h", "");
    tree.add("widgets/plots/surface.h", "#include <qcustomplot.h>\n#include <QWidget>\n");
    tree.add("widgets/table.cpp",
             "#include \"engine/report/run.h\"\n#include <QtGui/QPainter>\n#include \"table.moc\"\n");
    tree.add("app/main.cpp",
             "#include \"engine/jobs/job.h\"\n#include \"widgets/plots/surface.h\"\n#include <QWidget>\n");
    tree.add("tests/support/paths.h", "");
    tree.add("tests/record/a_test.cpp",
             "#include \"engine/record/h5.h\"\n#include \"tests/support/paths.h\"\n");
    EXPECT_THAT(tree.violations(), IsEmpty());
}

TEST(IncludeRules, ArrowAgainstTheOrderIsFound) {
    const Tree tree;
    tree.add("engine/report/run.h", "");
    tree.add("engine/record/reader.h", "#pragma once\n\n#include \"engine/report/run.h\"\n");
    tree.add("engine/stats/kmeans.cpp", "#include <vector>\n#  include \"engine/record/reader.h\"\n");
    EXPECT_THAT(tree.violations(),
                ElementsAre("engine/stats/kmeans.cpp:2: \"engine/record/reader.h\": engine/stats may "
                            "not use engine/record"));
}

TEST(IncludeRules, ArrowsThatAreNotInTheListAreFound) {
    const Tree tree;
    for (const char* file : {"engine/base/a.h", "engine/quant/a.h", "engine/jobs/a.h", "engine/report/a.h",
                             "app/a.h", "widgets/a.h", "tests/support/a.h", "tests/data/a.h"}) {
        tree.add(file, "");
    }
    tree.add("app/b.cpp", "#include \"engine/quant/a.h\"\n");
    tree.add("engine/base/b.cpp", "#include \"engine/report/a.h\"\n");
    tree.add("engine/jobs/b.cpp", "#include \"app/a.h\"\n");
    tree.add("engine/misc/b.cpp", "#include \"engine/base/a.h\"\n");
    tree.add("engine/report/b.cpp", "#include \"tests/support/a.h\"\n");
    tree.add("tests/graph/b.cpp", "#include \"tests/data/a.h\"\n");
    tree.add("widgets/b.cpp",
             "#include \"engine/base/a.h\"\n#include \"app/a.h\"\n#include \"engine/jobs/a.h\"\n");
    EXPECT_THAT(
        tree.violations(),
        ElementsAre(
            HasSubstr("app may not use engine/quant"), HasSubstr("engine/base may not use engine/report"),
            HasSubstr("engine/jobs may not use app"), HasSubstr("engine/misc is no folder"),
            HasSubstr("engine/report may not use tests/support"),
            HasSubstr("tests/graph may not use tests/data"), HasSubstr("widgets may not use engine/base"),
            HasSubstr("widgets may not use app"), HasSubstr("widgets may not use engine/jobs")));
}

TEST(IncludeRules, PathsBesideTheFileAreFollowed) {
    const Tree tree;
    tree.add("engine/jobs/job.h", "");
    tree.add("engine/data/loader.cpp", "#include \"../jobs/job.h\"\n#include \"nowhere.h\"\n");
    EXPECT_THAT(tree.violations(), ElementsAre(HasSubstr("engine/data may not use engine/jobs"),
                                               HasSubstr("\"nowhere.h\": names no file of the project")));
}

TEST(IncludeRules, LibrariesOutOfPlaceAreFound) {
    const Tree tree;
    tree.add("app/a.cpp", "#include <torch/torch.h>\n#include <hdf5.h>\n#include <qcustomplot.h>\n");
    tree.add("engine/data/loader.h", "#include <ATen/ATen.h>\n#include <H5Cpp.h>\n");
    tree.add("engine/jobs/job.cpp", "#include <QString>\n#include <QtCore/qglobal.h>\n#include <hdf5.h>\n");
    tree.add("engine/quant/torch.h", "#include <ATen/ATen.h>\n");
    tree.add("engine/train/figures.h", "#include \"engine/quant/torch.h\"\n");
    tree.add("engine/jobs/train.h", "#include \"engine/quant/torch.h\"\n");
    tree.add("widgets/plots/surface.h", "#include <qcustomplot.h>\n");
    tree.add("widgets/plots/zoomed.h", "#include <QCustomPlot/qcustomplot.h>\n");
    EXPECT_THAT(
        tree.violations(),
        ElementsAre(
            HasSubstr("app/a.cpp:1: <torch/torch.h>: libtorch stays out"),
            HasSubstr("app/a.cpp:2: <hdf5.h>: HDF5 stays out"),
            HasSubstr("app/a.cpp:3: <qcustomplot.h>: QCustomPlot stays out"),
            HasSubstr("engine/data/loader.h:1: <ATen/ATen.h>: libtorch belongs into .cpp files"),
            HasSubstr("engine/data/loader.h:2: <H5Cpp.h>: HDF5 belongs into .cpp files"),
            HasSubstr("engine/jobs/job.cpp:1: <QString>: Qt stays out"),
            HasSubstr("engine/jobs/job.cpp:2: <QtCore/qglobal.h>: Qt stays out"),
            HasSubstr("engine/jobs/train.h:1: \"engine/quant/torch.h\": libtorch belongs into .cpp files"),
            HasSubstr("widgets/plots/zoomed.h:1: <QCustomPlot/qcustomplot.h>: QCustomPlot enters through "
                      "one header of widgets/plots, which is widgets/plots/surface.h")));
}

}  // namespace
}  // namespace bitloom::testing

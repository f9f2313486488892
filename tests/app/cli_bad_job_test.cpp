// Data, jobs, outputs and runs that are not as they should be, through the verbs that meet them: exit code,
// file and remedy. Weight files: cli_bad_input_test.cpp.
#include <csignal>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/app/cli_bad_input.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using Json = nlohmann::json;

const std::string kData = "generated:1,64,32";

class CliBadData : public ::testing::Test {
  protected:
    CliBadData() {
        fs::create_directories(m_images);
        writeWeights(m_folder / "net.safetensors", plainWeights("resnet20"));
    }
    [[nodiscard]] ProcessResult evaluate(const std::string& scheme) const {
        return runCommand({"evaluate", "--weights", m_folder / "net.safetensors", "--data",
                           scheme + m_images.string(), "--threads", "1"});
    }
    [[nodiscard]] ProcessResult train(const std::string& scheme) const {
        return runCommand(trainCommand(m_folder.path(),
                                       {"data.source=" + scheme + m_images.string(), "data.augment=false"}));
    }

    testing::TemporaryFolder m_folder;
    fs::path m_images = m_folder / "images";
};

/// One record of CIFAR-10's binary version: a label and 3,072 pixels.
std::string cifarRecord(char label) {
    return label + std::string(3072, '\x40');
}

class CliBadCifar : public CliBadData {
  protected:
    CliBadCifar() {
        for (const char* name : {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                 "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"}) {
            writeBytes(m_images / name, cifarRecord(3));
        }
    }
    /// That training and evaluating refuse `bytes` as the file they read.
    void expectRefused(const std::string& bytes, std::vector<std::string> texts) const {
        writeBytes(m_images / "test_batch.bin", bytes);
        texts.push_back(m_images / "test_batch.bin");
        expectRefusal(evaluate("cifar10:"), 1, texts);
        writeBytes(m_images / "test_batch.bin", cifarRecord(3));
        writeBytes(m_images / "data_batch_4.bin", bytes);
        texts.back() = m_images / "data_batch_4.bin";
        expectRefusal(train("cifar10:"), 1, texts);
        EXPECT_FALSE(fs::exists(m_folder / "run.h5"));
    }
};

TEST_F(CliBadCifar, AFileOfOddLength) {
    const ProcessResult whole = evaluate("cifar10:");
    ASSERT_EQ(whole.exitCode, 0) << whole.err;
    expectRefused(cifarRecord(3) + "x", {"3074 bytes is not a whole number", "fetch it again"});
    expectRefused(cifarRecord(3).substr(1), {"3072 bytes is not a whole number", "fetch it again"});
}

TEST_F(CliBadCifar, ALabelOf200) {
    expectRefused(cifarRecord(3) + cifarRecord('\xc8'),
                  {"record 1 has label 200, labels are 0 to 9", "fetch it again"});
}

/// 8 x 8 grey pixels: one block, whose only two coefficients have codes of one bit each.
std::string greyJpeg() {
    const std::string oneCode = "\1" + std::string(16, '\0');
    return "\xff\xd8"s                                         // start
           + "\xff\xdb\0\x43\0"s + std::string(64, '\1')       // quantization table
           + "\xff\xc0\0\x0b\x08\0\x08\0\x08\1\1\x11\0"s       // frame: 8 bits, 8 x 8, one channel
           + "\xff\xc4\0\x14\0"s + oneCode                     // Huffman table of the mean
           + "\xff\xc4\0\x14\x10"s + oneCode                   // and of the rest
           + "\xff\xda\0\x08\1\1\0\0\x3f\0"s + "\x3f\xff\xd9"  // scan, end
        ;
}

TEST_F(CliBadData, AnImageFolderWithOneCorruptJpeg) {
    const std::string whole = greyJpeg();
    for (const char* set : {"train", "test"}) {
        for (const char* name : {"cat", "dog"}) {
            fs::create_directories(m_images / set / name);
            for (const char* file : {"1.jpg", "2.jpg", "3.jpg", "4.jpg"})
                writeBytes(m_images / set / name / file, whole);
        }
    }
    const ProcessResult sound = evaluate("folder:");
    ASSERT_EQ(sound.exitCode, 0) << sound.err;

    const std::string cut = whole.substr(0, whole.size() - 3);
    writeBytes(m_images / "test/dog/3.jpg", cut);
    expectRefusal(evaluate("folder:"), 1, {m_images / "test/dog/3.jpg", "replace or remove it"});
    writeBytes(m_images / "test/dog/3.jpg", whole);
    // One step takes all eight training images.
    writeBytes(m_images / "train/cat/2.jpg", cut);
    expectRefusal(train("folder:"), 1, {m_images / "train/cat/2.jpg", "replace or remove it"});
}

TEST(CliBadJob, TyposNameFileLineAndNearestKey) {
    const testing::TemporaryFolder folder;
    const fs::path job = folder / "job.toml";
    struct Typo {
        const char* toml;
        const char* place;
        const char* remedy;
    };
    for (const auto& [toml, place, remedy] :
         {Typo{"[train]\nrate_nu = 0.1\n", ":2: unknown key train.rate_nu", "did you mean train.rate_mu?"},
          Typo{"[quantiser]\nbits = 3\n", ":1: unknown key quantiser", "did you mean quantizer?"},
          Typo{"[quantizer.layers.\"conv1\"]\nbit = 3\n", ":2: unknown key quantizer.layers.\"conv1\".bit",
               "did you mean quantizer.layers.\"conv1\".bits?"},
          Typo{"[data]\nbatch = \"eight\"\n", ":2: data.batch", "expected an integer from 1 to"}}) {
        SCOPED_TRACE(toml);
        writeBytes(job, toml);
        expectRefusal(runCommand({"train", job, "--out", folder / "run.h5"}), 2,
                      {job.string() + place, remedy});
    }
    expectRefusal(runCommand(trainCommand(folder.path(), {"train.epoch=1"})), 2,
                  {"--set: unknown key train.epoch", "did you mean train.epochs?"});
    EXPECT_FALSE(fs::exists(folder / "run.h5"));
}

/// A folder that cannot be written to while this lives: root gives up its rights for the time.
class ReadOnlyFolder {
  public:
    explicit ReadOnlyFolder(fs::path folder) : m_folder(std::move(folder)) {
        constexpr fs::perms kRead = fs::perms(0444);
        constexpr fs::perms kEnter = fs::perms(0111);
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(m_folder)) {
            fs::permissions(entry, entry.is_directory() ? kRead | kEnter : kRead, fs::perm_options::add);
        }
        fs::permissions(m_folder, kRead | kEnter);
        constexpr uid_t kNobody = 65534;
        if (::geteuid() == 0) {
            EXPECT_EQ(::seteuid(kNobody), 0);
        }
    }
    ~ReadOnlyFolder() {
        EXPECT_EQ(::seteuid(::getuid()), 0);
        fs::permissions(m_folder, fs::perms::owner_all);
    }
    ReadOnlyFolder(const ReadOnlyFolder&) = delete;
    ReadOnlyFolder& operator=(const ReadOnlyFolder&) = delete;

  private:
    fs::path m_folder;
};

/// Runs the program where no file may grow beyond `bytes`: what a full disk looks like to it.
ProcessResult runOnFullDisk(const Arguments& arguments, rlim_t bytes) {
    const testing::TemporaryFolder output;
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    rlimit limit = before;
    limit.rlim_cur = bytes;
    // A child starts with both; a disk that is full sends no signal.
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto process = std::make_unique<BitloomProcess>(arguments, output.path());
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    return process->wait();
}

/// A finished run of one step.
void makeRun(const fs::path& folder, const Arguments& settings = {}) {
    const ProcessResult trained = runBitloom(trainCommand(folder, settings));
    ASSERT_EQ(trained.exitCode, 0) << trained.err;
}

Arguments exportCommand(const fs::path& run, const std::string& format, const fs::path& out) {
    return {"export", run, "--to", format, "--out", out, "--no-check"};
}

TEST(CliBadOutput, AReadOnlyFolderTakesNoRun) {
    const testing::TemporaryFolder folder;
    const Arguments train = trainCommand(folder.path());
    const ReadOnlyFolder readOnly(folder.path());
    expectRefusal(runCommand(train), 1, {folder / "run.h5", "choose a folder you can write to"});
    EXPECT_FALSE(fs::exists(folder / "run.h5"));
}

TEST(CliBadOutput, AFullDiskTakesNoRun) {
    const testing::TemporaryFolder folder;
    const Arguments train = trainCommand(folder.path());
    expectRefusal(runOnFullDisk(train, 20'000), 1,
                  {folder / "run.h5", "File too large", "choose another place"});
    EXPECT_FALSE(fs::exists(folder / "run.h5"));
    // Room for the run file, not for a whole checkpoint beside it.
    expectRefusal(runOnFullDisk(train, 1'800'000), 1,
                  {folder / "run.h5.ckpt/step-", "File too large", "choose another place"});
}

TEST(CliBadOutput, NeitherTakesAnExport) {
    const testing::TemporaryFolder folder;
    makeRun(folder.path());
    for (const char* format : {"safetensors", "hdf5"}) {
        SCOPED_TRACE(format);
        const fs::path out = folder / "net."s.append(format);
        const Arguments arguments = exportCommand(folder / "run.h5", format, out);
        {
            const ReadOnlyFolder readOnly(folder.path());
            expectRefusal(runCommand(arguments), 1, {out, "choose a folder you can write to"});
        }
        expectRefusal(runOnFullDisk(arguments, 10'000), 1, {out, "File too large", "choose another place"});
        EXPECT_FALSE(fs::exists(out));
    }
}

TEST(CliBadOutput, AFileThatIsNoRunIsKept) {
    const testing::TemporaryFolder folder;
    const Arguments train = trainCommand(folder.path());
    for (const std::string& content : {"my notes\n"s, fixtureBytes("h5py.h5")}) {
        writeBytes(folder / "run.h5", content);
        expectRefusal(runCommand(train), 2, {folder / "run.h5", "name another --out", "--replace"});
        EXPECT_EQ(bytesOf(folder / "run.h5"), content);
    }
}

TEST(CliBadOutput, AnUnfinishedRunIsKeptUnlessItMayBeReplaced) {
    const testing::TemporaryFolder folder;
    const fs::path run = folder / "run.h5";
    {
        const Arguments train = trainCommand(folder.path(), {"train.steps=100000"});
        BitloomProcess process(train, folder.path());
        ASSERT_TRUE(process.waitForFile(folder / "run.h5.ckpt/step-1.safetensors")) << process.wait().err;
        process.signal(SIGKILL);
        EXPECT_EQ(process.wait().exitCode, -SIGKILL);
    }
    const std::string before = bytesOf(run);
    Arguments train = trainCommand(folder.path());
    expectRefusal(runCommand(train), 2,
                  {run, "is not finished", "bitloom train --resume " + run.string(), "--replace"});
    EXPECT_EQ(bytesOf(run), before);
    train.emplace_back("--replace");
    const ProcessResult replaced = runBitloom(train);
    EXPECT_EQ(replaced.exitCode, 0) << replaced.err;
}

/// That no verb reads `run`.
void expectUnreadableRun(const fs::path& run, std::vector<std::string> texts) {
    texts.push_back(run);
    const fs::path folder = run.parent_path();
    for (const Arguments& arguments :
         {Arguments{"report", run}, Arguments{"report", run, "--json"}, Arguments{"train", "--resume", run},
          exportCommand(run, "safetensors", folder / "net.safetensors"),
          exportCommand(run, "hdf5", folder / "net.hdf5")}) {
        SCOPED_TRACE(arguments.front());
        expectRefusal(runCommand(arguments), 1, texts);
    }
    const fs::path figure = folder / "figure.svg";
    const ProcessResult plotted = runBitloom({"plot", run, "--view", "mixture", "--out", figure});
    const bool withoutWindow = plotted.err.find("no window") != std::string::npos;
    if (!withoutWindow) expectRefusal(plotted, 1, texts);
    for (const fs::path& out : {folder / "net.safetensors", folder / "net.hdf5", figure})
        EXPECT_FALSE(fs::exists(out)) << out;
}

TEST(CliBadRun, ATruncatedRun) {
    const testing::TemporaryFolder folder;
    const fs::path run = folder / "run.h5";
    makeRun(folder.path());
    fs::resize_file(run, fs::file_size(run) / 2);
    expectUnreadableRun(run, {"truncated", "copy it again"});
    expectRefusal(runCommand({"evaluate", "--weights", run, "--data", kData}), 1,
                  {run, "truncated", "copy it again"});
}

TEST(CliBadRun, FilesThatAreNoRuns) {
    const testing::TemporaryFolder folder;
    for (const std::string& content :
         {"my notes\n"s, fixtureBytes("h5py.h5"), fixtureBytes("torch_zip.pt")}) {
        writeBytes(folder / "file", content);
        expectUnreadableRun(folder / "file", {"not a Bitloom run", "bitloom train --out"});
    }
}

TEST(CliBadRun, EvaluatingARunTakesItsOwnImagesAndNormalization) {
    const testing::TemporaryFolder folder;
    const fs::path run = folder / "run.h5";
    makeRun(folder.path(), {"data.source=" + kData, "data.normalize=half"});
    const auto evaluated = [&](const Arguments& more) {
        Arguments arguments = {"evaluate", "--weights", run, "--threads", "1", "--json"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const ProcessResult result = runCommand(arguments);
        EXPECT_EQ(result.exitCode, 0) << result.err;
        return Json::parse(result.out, nullptr, false);
    };
    const Json own = evaluated({});
    const Json named = evaluated({"--data", kData, "--normalize", "half"});
    EXPECT_EQ(own["images"], 32);
    for (const char* figure : {"images", "top1", "top5", "loss"})
        EXPECT_EQ(own[figure], named[figure]) << figure;
    EXPECT_NE(own["loss"], evaluated({"--normalize", "none"})["loss"]);
    EXPECT_NE(own["loss"], evaluated({"--data", "generated:2,64,32"})["loss"]);
    // Weights alone do not know their images.
    writeWeights(folder / "net.safetensors", plainWeights("resnet20"));
    expectRefusal(runCommand({"evaluate", "--weights", folder / "net.safetensors"}), 2,
                  {folder / "net.safetensors", "name them: --data"});
}

}  // namespace
}  // namespace bitloom::app

// Weight files that are damaged, hostile or of another network, through the verbs that read them: exit code,
// file and remedy. Formats byte by byte: tests/checkpoint. Data, jobs, outputs and runs:
// cli_bad_job_test.cpp.
#include "tests/app/cli_bad_input.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/random.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kCopyAgain = "download or copy it again";

/// Little-endian bytes of a number.
template <class T>
std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

std::string safetensorsFile(const std::string& header, const std::string& data) {
    return raw(std::uint64_t{header.size()}) + header + data;
}

/// torch.save's zip with nothing but the object.
std::string zipFile(const std::string& pickle) {
    const std::string name = "archive/data.pkl";
    const auto size = static_cast<std::uint32_t>(pickle.size());
    const std::string sizes = raw(size) + raw(size) + raw(static_cast<std::uint16_t>(name.size()));
    const std::string local = "PK\3\4" + std::string(14, '\0') + sizes + "\0\0"s + name + pickle;
    const std::string directory = "PK\1\2" + std::string(16, '\0') + sizes + std::string(16, '\0') + name;
    const auto length = static_cast<std::uint32_t>(directory.size());
    const auto start = static_cast<std::uint32_t>(local.size());
    return local + directory + "PK\5\6" + "\0\0\0\0\1\0\1\0"s + raw(length) + raw(start) + "\0\0"s;
}

/// torch.save's older format: magic number, version and system, the object, no storages.
std::string legacyFile(const std::string& pickle) {
    return "\x80\2\x8a\x0al\xfc\x9c\x46\xf9\x20j\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}." + pickle + "\x80\2].";
}

class CliBadWeights : public ::testing::Test {
  protected:
    [[nodiscard]] Arguments evaluateCommand(const std::string& arch = "") const {
        Arguments arguments = {"evaluate",          "--weights", m_file, "--data",
                               "generated:1,64,32", "--threads", "1"};
        if (!arch.empty()) arguments.insert(arguments.end(), {"--arch", arch});
        return arguments;
    }
    [[nodiscard]] Arguments trainOnWeights(const std::string& arch) const {
        return trainCommand(m_folder.path(), {"model.weights=" + m_file.string(), "model.arch=" + arch});
    }

    /// That evaluate and train refuse m_file as `arch`, and that nothing is written.
    void expectRefused(const std::string& arch, std::vector<std::string> texts) const {
        texts.push_back(m_file.string());
        for (const Arguments& arguments : {evaluateCommand(arch), trainOnWeights(arch)}) {
            SCOPED_TRACE(arguments.front());
            expectRefusal(runCommand(arguments), 1, texts);
        }
        EXPECT_FALSE(fs::exists(m_folder / "run.h5"));
    }

    /// That no verb reads `bytes`.
    void expectUnreadable(const std::string& bytes, std::vector<std::string> texts) const {
        writeBytes(m_file, bytes);
        texts.push_back(m_file.string());
        expectRefusal(runCommand({"inspect", m_file}), 1, texts);
        expectRefused("resnet20", texts);
    }

    testing::TemporaryFolder m_folder;
    fs::path m_file = m_folder / "net.pth";
};

TEST_F(CliBadWeights, TruncatedFilesOfEveryFormat) {
    const std::string safetensors =
        safetensorsFile(R"({"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", std::string(16, '\0'));
    for (const std::string& whole : {fixtureBytes("torch_zip.pt"), fixtureBytes("torch_legacy.th"),
                                     fixtureBytes("h5py.h5"), safetensors}) {
        SCOPED_TRACE(::testing::PrintToString(whole.substr(0, 8)));
        writeBytes(m_file, whole);
        ASSERT_EQ(runCommand({"inspect", m_file}).exitCode, 0) << "the length alone is to be wrong";
        expectUnreadable(whole.substr(0, whole.size() / 2), {kCopyAgain});
        expectUnreadable(whole.substr(0, whole.size() - 1), {kCopyAgain});
    }
}

TEST_F(CliBadWeights, EmptyFiles) {
    expectUnreadable("", {"it is empty; " + kCopyAgain});
}

TEST_F(CliBadWeights, RandomBytesAloneAndBehindEveryFormatsFirstOnes) {
    Random random({1});
    std::string bytes;
    for (int i = 0; i < 600; ++i)
        bytes += static_cast<char>(random.below(256));
    expectUnreadable(bytes, {"it reads PyTorch (.pt .pth .th), safetensors and HDF5"});
    expectUnreadable("PK\3\4" + bytes, {kCopyAgain});
    expectUnreadable("\x89HDF\r\n\x1a\n" + bytes, {kCopyAgain});
    expectUnreadable(raw(std::uint64_t{100}) + "{" + bytes, {kCopyAgain});
    expectUnreadable("\x80\2" + bytes, {"save the state_dict with torch.save"});
}

TEST_F(CliBadWeights, SafetensorsThatClaimFourGigabytes) {
    expectUnreadable(raw(std::uint64_t{1} << 32) + "{}", {"claims a header of 4294967296 bytes", kCopyAgain});
    expectUnreadable(
        safetensorsFile(R"({"w":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]}})",
                        std::string(16, '\0')),
        {"4294967296 bytes", kCopyAgain});
}

TEST_F(CliBadWeights, AZipThatClaimsFourGigabytes) {
    // Both sizes of every storage in the zip's directory.
    constexpr std::size_t kSizes = 20, kNameLength = 28, kName = 46;
    const std::string entry = "PK\1\2";
    std::string zip = fixtureBytes("torch_zip.pt");
    int changed = 0;
    for (std::size_t at = zip.find(entry); at != std::string::npos; at = zip.find(entry, at + 1)) {
        const auto length = static_cast<unsigned char>(zip[at + kNameLength]);
        if (zip.substr(at + kName, length).find("/data/") == std::string::npos) continue;
        zip.replace(at + kSizes, 8, raw(std::uint32_t{0xfffffff0}) + raw(std::uint32_t{0xfffffff0}));
        ++changed;
    }
    ASSERT_GT(changed, 0);
    expectUnreadable(zip, {"claims more bytes than the file has", kCopyAgain});
}

TEST_F(CliBadWeights, ALegacyFileThatClaimsFourGigabytes) {
    // The last storage: its element count, then three float32.
    std::string legacy = fixtureBytes("torch_legacy.th");
    const std::size_t count = legacy.size() - 3 * sizeof(float) - sizeof(std::int64_t);
    ASSERT_EQ(legacy.substr(count, sizeof(std::int64_t)), raw(std::int64_t{3}));
    legacy.replace(count, sizeof(std::int64_t), raw(std::int64_t{1} << 30));
    expectUnreadable(legacy, {"claims 1073741824 elements", kCopyAgain});
}

TEST_F(CliBadWeights, AnHdf5FileThatClaimsFourGigabytes) {
    // Size and greatest size of layer1/conv/packed, which is stored in chunks.
    const auto extent = [](std::uint64_t rows) { return raw(rows) + raw(std::uint64_t{8}); };
    std::string hdf5 = fixtureBytes("h5py.h5");
    const std::size_t at = hdf5.find(extent(4) + extent(4));
    ASSERT_NE(at, std::string::npos);
    hdf5.replace(at, 32, extent(1u << 27) + extent(1u << 27));
    expectUnreadable(hdf5, {"layer1/conv/packed would need 4294967296 bytes",
                            "save contiguous uncompressed copies of its tensors"});
}

TEST_F(CliBadWeights, APickleThatCallsTheShellIsNotObeyed) {
    const fs::path victim = m_folder / "victim";
    const std::string shell = "touch " + victim.string();
    for (const char* module : {"os", "posix"}) {
        const std::string attack = "\x80\2c"s + module + "\nsystem\n(X" +
                                   raw(static_cast<std::uint32_t>(shell.size())) + shell + "tR.";
        for (const std::string& bytes : {attack, zipFile(attack), legacyFile(attack)}) {
            expectUnreadable(bytes, {module + ".system: this file asks to run code"s,
                                     "Do not open it in Python either unless you know who made it"});
            EXPECT_FALSE(fs::exists(victim));
        }
    }
}

TEST_F(CliBadWeights, CyclicPickles) {
    const std::string cycle = "\x80\2]q\0h\0a."s;  // a list that holds itself
    for (const std::string& bytes : {zipFile(cycle), legacyFile(cycle)})
        expectUnreadable(bytes, {"containers are cyclic", "save a plain state_dict with torch.save"});
}

TEST_F(CliBadWeights, NotANumberNamesFileAndTensor) {
    const std::string name = "layer2.1.conv2.weight";
    graph::StateDict weights = plainWeights("resnet20");
    std::vector<float> values = weights[name].toFloats();
    values[77] = std::numeric_limits<float>::quiet_NaN();
    weights[name] = graph::Tensor::fromFloats(weights[name].shape, values);
    writeWeights(m_file, weights);
    expectRefused("resnet20", {"tensor " + name, "use an earlier checkpoint"});
    expectRefused("", {"tensor " + name, "use an earlier checkpoint"});
    // Looking at such a file is how one finds out.
    const ProcessResult inspected = runCommand({"inspect", m_file});
    EXPECT_EQ(inspected.exitCode, 0) << inspected.err;
    EXPECT_THAT(inspected.out, AllOf(HasSubstr("tensor " + name), HasSubstr("use an earlier checkpoint")));
}

TEST_F(CliBadWeights, AnotherNetworksWeightsNameTheOneThatFits) {
    for (const auto& [held, given] : {std::pair("resnet56", "resnet20"), std::pair("resnet20", "resnet56")}) {
        SCOPED_TRACE(held);
        writeWeights(m_file, plainWeights(held));
        // Of the mapping report: a block that only the deeper network has.
        expectRefused(given, {"does not fit "s + given, held, "layer1.3."});
        const ProcessResult inspected = runCommand({"inspect", m_file, "--arch", given});
        EXPECT_EQ(inspected.exitCode, 0) << inspected.err;
        EXPECT_THAT(inspected.out, HasSubstr("layer1.3."));
    }
}

TEST_F(CliBadWeights, AMissingTensorIsInTheMappingReport) {
    const std::string missing = "1 missing in the file: layer2.1.bn1.running_var";
    graph::StateDict weights = plainWeights("resnet20");
    ASSERT_EQ(weights.erase("layer2.1.bn1.running_var"), 1u);
    writeWeights(m_file, weights);
    expectRefused("resnet20", {missing, "state_dict"});
    expectRefusal(runCommand(evaluateCommand()), 2,
                  {m_file, "no known network fits these weights; name one of", "resnet20"});
    const ProcessResult inspected = runCommand({"inspect", m_file, "--arch", "resnet20"});
    EXPECT_EQ(inspected.exitCode, 0) << inspected.err;
    EXPECT_THAT(inspected.out, HasSubstr(missing));
}

}  // namespace
}  // namespace bitloom::app

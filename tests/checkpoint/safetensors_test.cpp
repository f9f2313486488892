// The safetensors reader against headers written by hand, and the writer against the reader.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/checkpoint/checkpoint.h"
#include "tests/checkpoint/builders.h"
#include "tests/support/test_paths.h"

namespace bitloom::checkpoint {
namespace {

using bitloom::testing::expectErrorFromEveryPrefix;
using bitloom::testing::floatBytes;
using bitloom::testing::raw;
using bitloom::testing::readError;
using bitloom::testing::readErrorOf;
using bitloom::testing::readFile;
using bitloom::testing::safetensorsFile;
using bitloom::testing::TemporaryFolder;
using bitloom::testing::writeFile;
using graph::DType;
using graph::StateDict;
using graph::Tensor;
using ::testing::HasSubstr;

TEST(Safetensors, ReadsAFileWrittenByHand) {
    const TemporaryFolder folder;
    const auto path = folder / "hand.bin";
    writeFile(path, safetensorsFile(R"({"__metadata__":{"format":"pt","note":"{}"},)"
                                    R"("b":{"data_offsets":[8,12],"dtype":"I16","shape":[2,1]},)"
                                    R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                    R"("none":{"dtype":"BOOL","shape":[0,4],"data_offsets":[12,12]},)"
                                    R"("one":{"dtype":"U8","shape":[],"data_offsets":[12,13]}}   )",
                                    floatBytes(2) + raw(std::int16_t{-2}) + raw(std::int16_t{300}) + "\x09"));
    const auto checkpoint = readCheckpoint(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->format, Format::Safetensors);
    EXPECT_EQ(checkpoint->metadata, (std::map<std::string, std::string>{{"format", "pt"}, {"note", "{}"}}));
    ASSERT_EQ(checkpoint->tensors.size(), 4u);
    EXPECT_EQ(checkpoint->tensors.at("a").toFloats(), (std::vector<float>{-50.0f / 64, -13.0f / 64}));
    EXPECT_EQ(checkpoint->tensors.at("b").toFloats(), (std::vector<float>{-2, 300}));
    EXPECT_EQ(checkpoint->tensors.at("b").shape, (graph::Shape{2, 1}));
    EXPECT_EQ(checkpoint->tensors.at("none").shape, (graph::Shape{0, 4}));
    EXPECT_EQ(checkpoint->tensors.at("one").toFloats(), std::vector<float>{9});
}

/// One tensor of every dtype, with bytes that differ.
StateDict everyDtype() {
    StateDict state;
    int seed = 0;
    for (const DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64, DType::I32,
                              DType::I16, DType::I8, DType::U8, DType::Bool}) {
        Tensor tensor{dtype, {3}, {}};
        for (std::size_t i = 0; i < 3 * byteSize(dtype); ++i) {
            tensor.bytes.push_back(static_cast<std::byte>(dtype == DType::Bool ? i % 2 : 7 * i + ++seed));
        }
        state[graph::toText(dtype)] = tensor;
    }
    state["scalar"] = Tensor::fromFloats({}, {0.5f});
    state["empty"] = Tensor::fromFloats({0, 2}, {});
    return state;
}

TEST(Safetensors, WritesWhatItReads) {
    const TemporaryFolder folder;
    const StateDict state = everyDtype();
    const std::map<std::string, std::string> metadata = {{"made by", "Bitloom"}, {"quote", "\"\\\n"}};
    ASSERT_TRUE(writeSafetensors(folder / "out", state, metadata).ok());
    const auto checkpoint = readCheckpoint(folder / "out");
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(graph::hashState(checkpoint->tensors), graph::hashState(state));
    EXPECT_EQ(checkpoint->metadata, metadata);
}

TEST(Safetensors, WritesEqualBytesForEqualContentAndAlignsTensors) {
    const TemporaryFolder folder;
    ASSERT_TRUE(writeSafetensors(folder / "one", everyDtype()).ok());
    ASSERT_TRUE(writeSafetensors(folder / "two", everyDtype()).ok());
    const std::string bytes = readFile(folder / "one");
    EXPECT_EQ(bytes, readFile(folder / "two"));
    EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0) << "the data starts at a multiple of eight";
    EXPECT_THAT(bytes, HasSubstr(R"("float64":{"data_offsets":[0,24],"dtype":"F64","shape":[3]})"));
}

TEST(Safetensors, WritesAnEmptyDictionary) {
    const TemporaryFolder folder;
    ASSERT_TRUE(writeSafetensors(folder / "empty", {}).ok());
    const auto checkpoint = readCheckpoint(folder / "empty");
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_TRUE(checkpoint->tensors.empty());
}

TEST(Safetensors, RefusesToWriteWhatCannotBeRead) {
    const TemporaryFolder folder;
    const auto path = folder / "out";
    const auto message = [&path](const StateDict& state) {
        return writeSafetensors(path, state).error().message;
    };
    EXPECT_THAT(message({{"w", Tensor{DType::F32, {3}, {}}}}), HasSubstr("tensor w cannot be written"));
    EXPECT_THAT(message({{"__metadata__", Tensor::fromFloats({1}, {1})}}), HasSubstr("reserved"));
    EXPECT_THAT(message({{"\xff\xfe", Tensor::fromFloats({1}, {1})}}), HasSubstr("UTF-8"));
    EXPECT_FALSE(std::filesystem::exists(path));
    const auto absent = writeSafetensors(folder / "no/such/folder", everyDtype());
    ASSERT_FALSE(absent.ok());
    EXPECT_THAT(absent.error().message, HasSubstr("no/such/folder"));
}

TEST(Safetensors, AFailedWriteKeepsTheOldFile) {
    const TemporaryFolder folder;
    writeFile(folder / "out", "old");
    ASSERT_FALSE(writeSafetensors(folder / "out", {{"w", Tensor{DType::F32, {3}, {}}}}).ok());
    EXPECT_EQ(readFile(folder / "out"), "old");
}

TEST(Safetensors, EveryPrefixIsAnError) {
    const TemporaryFolder folder;
    ASSERT_TRUE(writeSafetensors(folder / "whole", everyDtype()).ok());
    const std::string whole = readFile(folder / "whole");
    expectErrorFromEveryPrefix(whole);
    writeFile(folder / "long", whole + "x");
    EXPECT_THAT(readError(folder / "long"), HasSubstr("follow the header"));
}

TEST(Safetensors, HeaderLengthsAreBounded) {
    for (const std::uint64_t length :
         {std::uint64_t{0xffffffff}, ~std::uint64_t{0}, std::uint64_t{100'000'001}}) {
        EXPECT_THAT(readErrorOf(raw(length) + "{}"), HasSubstr("claims a header of"));
    }
}

TEST(Safetensors, MalformedHeadersAreErrors) {
    const std::pair<const char*, const char*> cases[] = {
        {R"({"a":)", "not JSON"},
        {R"({"a":5})", "a number"},
        {R"({"a":"F32"})", "a text"},
        {R"({"a":null})", "null"},
        {R"({"a":true})", "a truth value"},
        {R"({"a":[1]})", "an array"},
        {R"({"a":{"shape":[-1]}})", "a negative number"},
        {R"({"a":{"shape":[1.5]}})", "a fraction"},
        {R"({"a":{"shape":[[1]]}})", "an array"},
        {R"({"a":{"shape":[{}]}})", "an object"},
        {R"({"a":{"shape":["1"]}})", "a text"},
        {R"({"a":{"shape":[18446744073709551615]}})", "a number"},
        {R"({"a":{"shape":[1],"shape":[1]}})", "an array"},
        {R"({"a":{"dtype":"F32","dtype":"F64"}})", "a text"},
        {R"({"a":{"color":"red"}})", "a text"},
        {R"({"a":{"deep":{"er":{}}}})", "an object"},
        {R"({"__metadata__":{"a":1}})", "a number"},
        {R"({"__metadata__":{"a":"1","a":"2"}})", "a repeated key"},
        {R"({"a":{"dtype":"F32","shape":[1]}})", "lacks its shape or its two data_offsets"},
        {R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", "lacks its shape or its two data_offsets"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2,4]}})",
         "lacks its shape or its two data_offsets"},
        {R"({"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", "convert it to float32"},
        {R"({"a":{"shape":[4],"data_offsets":[0,4]}})", "dtype \"\""},
    };
    for (const auto& [header, expected] : cases) {
        EXPECT_THAT(readErrorOf(safetensorsFile(header, "1234")), HasSubstr(expected)) << header;
    }
    EXPECT_THAT(readErrorOf(safetensorsFile("{\"a\":" + std::string(1'000'000, '['), "")),
                HasSubstr("an array"));
}

TEST(Safetensors, OffsetsMustTileTheData) {
    const auto entry = [](const std::string& name, const std::string& offsets,
                          const std::string& shape = "[1]") {
        return "\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
    };
    const auto error = [](const std::string& entries) {
        return readErrorOf(safetensorsFile("{" + entries + "}", "12345678"));
    };
    EXPECT_EQ(error(entry("a", "[0,4]") + "," + entry("b", "[4,8]")), "");
    EXPECT_THAT(error(entry("a", "[0,4]") + "," + entry("b", "[2,6]")), HasSubstr("tensor b overlaps"));
    EXPECT_THAT(error(entry("a", "[0,4]") + "," + entry("b", "[0,4]")), HasSubstr("overlaps"));
    EXPECT_THAT(error(entry("a", "[4,8]")), HasSubstr("4 bytes before tensor a"));
    EXPECT_THAT(error(entry("a", "[0,4]")), HasSubstr("take 4 bytes but 8 follow"));
    EXPECT_THAT(error(entry("a", "[0,8]")), HasSubstr("not its size"));
    EXPECT_THAT(error(entry("a", "[8,4]")), HasSubstr("8 bytes before tensor a"));
    EXPECT_THAT(error(entry("a", "[0,4294967296]", "[1073741824]")), HasSubstr("take 4294967296 bytes"));
    EXPECT_THAT(error(entry("a", "[0,8]", "[4611686018427387904,4611686018427387904]")),
                HasSubstr("not its size"));
    EXPECT_THAT(error(entry("a", "[0,4]") + "," + entry("a", "[4,8]")),
                HasSubstr("two tensors have the key a"));
}

}  // namespace
}  // namespace bitloom::checkpoint

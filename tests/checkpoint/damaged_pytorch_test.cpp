// PyTorch files that are cut, falsified or hostile: always one clean error with the path and a remedy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "engine/checkpoint/checkpoint.h"
#include "tests/checkpoint/builders.h"
#include "tests/support/test_paths.h"

namespace bitloom::checkpoint {
namespace {

using bitloom::testing::expectErrorFromEveryPrefix;
using bitloom::testing::floatBytes;
using bitloom::testing::legacyFile;
using bitloom::testing::PickleBuilder;
using bitloom::testing::projectRoot;
using bitloom::testing::readError;
using bitloom::testing::readErrorOf;
using bitloom::testing::readFile;
using bitloom::testing::TemporaryFolder;
using bitloom::testing::torchZip;
using bitloom::testing::writeFile;
using bitloom::testing::zipFile;
using bitloom::testing::ZipPart;
using ::testing::HasSubstr;

/// {"w": float tensor of `shape`} over storage "0".
std::string dictOf(std::int64_t elements, const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& strides, std::int64_t offset = 0) {
    return PickleBuilder().dict().text("w").tensor("0", elements, shape, strides, offset).op("s").finish();
}
std::string zipOf(const std::string& pickle) {
    return torchZip(pickle, {{"0", 4, floatBytes(4)}});
}

TEST(DamagedPyTorch, EveryPrefixOfEveryContainerIsAnError) {
    const std::string pickle = dictOf(4, {2, 2}, {2, 1});
    expectErrorFromEveryPrefix(zipOf(pickle));
    expectErrorFromEveryPrefix(legacyFile(pickle, {{"0", 4, floatBytes(4)}}));
}

TEST(DamagedPyTorch, EveryPrefixOfRealFilesIsAnError) {
    for (const char* name : {"torch_zip.pt", "torch_deflated.pt", "torch_legacy.th"}) {
        expectErrorFromEveryPrefix(readFile(projectRoot() / "tests/data/checkpoint" / name), 23);
    }
}

TEST(DamagedPyTorch, AnyDamagedByteGivesACleanAnswer) {
    const TemporaryFolder folder;
    const auto path = folder / "flipped";
    for (const char* name : {"torch_zip.pt", "torch_deflated.pt", "torch_legacy.th"}) {
        const std::string whole = readFile(projectRoot() / "tests/data/checkpoint" / name);
        int errors = 0;
        for (std::size_t i = 0; i < whole.size(); i += 13) {
            std::string damaged = whole;
            damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
            writeFile(path, damaged);
            errors += readError(path).empty() ? 0 : 1;
        }
        EXPECT_GT(errors, static_cast<int>(whole.size() / 13 / 10)) << name;
    }
}

TEST(DamagedPyTorch, CodeIsNotRunInAnyContainer) {
    const TemporaryFolder folder;
    const auto victim = folder / "victim";
    const auto path = folder / "attack";
    const std::string attack = PickleBuilder()
                                   .global("posix", "system")
                                   .mark()
                                   .text("touch " + victim.string())
                                   .tuple()
                                   .reduce()
                                   .finish();
    for (const std::string& file : {attack, torchZip(attack, {}), legacyFile(attack, {})}) {
        writeFile(path, file);
        EXPECT_THAT(readError(path), HasSubstr("posix.system: this file asks to run code"));
        EXPECT_FALSE(std::filesystem::exists(victim));
    }
}

TEST(DamagedPyTorch, CyclesAreFound) {
    EXPECT_THAT(readErrorOf(zipOf(PickleBuilder().op("]q").op(std::string_view("\0h\0a", 4)).finish())),
                HasSubstr("containers are cyclic: 0 is"));
    // {"a": {"b": [the outermost]}}
    PickleBuilder nested;
    nested.op("}q\1").text("a").dict().text("b").op("]h\1a").op("ss");
    EXPECT_THAT(readErrorOf(zipOf(nested.finish())), HasSubstr("containers are cyclic: a.b.0 is"));
}

TEST(DamagedPyTorch, DeepAndExplodingNestingIsBounded) {
    EXPECT_THAT(readErrorOf(zipOf("\x80\x02" + std::string(100, ']') + std::string(99, 'a') + ".")),
                HasSubstr("deeper than 64"));
    EXPECT_THAT(readErrorOf(zipOf("\x80\x02" + std::string(500'000, ']') + std::string(499'999, 'a') + ".")),
                HasSubstr("deeper than 64"));
    // [x, x] of [y, y] of ...: 2^40 paths from 200 bytes.
    std::string doubling = "\x80\x02](K\1e";
    for (int i = 0; i < 40; ++i)
        doubling += "2\x86";
    EXPECT_THAT(readErrorOf(zipOf(doubling + ".")), HasSubstr("unfold"));
}

TEST(DamagedPyTorch, RepeatedKeysAreErrors) {
    PickleBuilder twice;
    twice.dict().mark().text("w").integer(1).text("w").integer(2).setItems();
    EXPECT_THAT(readErrorOf(zipOf(twice.finish())), HasSubstr("\"w\" occurs twice"));
    PickleBuilder joined;
    joined.dict().mark().text("a.b").tensor("0", 4, {4}, {1});
    joined.text("a").dict().text("b").tensor("0", 4, {4}, {1}).op("s").setItems();
    EXPECT_THAT(readErrorOf(zipOf(joined.finish())), HasSubstr("two tensors have the key a.b"));
}

TEST(DamagedPyTorch, TensorsMustStayInsideTheirStorage) {
    constexpr std::int64_t kHuge = std::int64_t{1} << 62;
    const std::pair<std::string, const char*> cases[] = {
        {dictOf(1'000'000'000, {4}, {1}), "claims 1000000000 elements but has 16 bytes"},
        {dictOf(kHuge, {4}, {1}), "claims"},
        {dictOf(4, {5}, {1}), "leaves its storage of 4 elements"},
        {dictOf(4, {2}, {1}, 3), "leaves its storage"},
        {dictOf(4, {2}, {1}, -1), "leaves its storage"},
        {dictOf(4, {2}, {1}, kHuge), "leaves its storage"},
        {dictOf(4, {2, 2}, {3, 1}), "leaves its storage"},
        {dictOf(4, {2}, {-1}, 3), "leaves its storage"},
        {dictOf(4, {2, 2}, {kHuge, kHuge}), "leaves its storage"},
        {dictOf(4, {3, 3}, {kHuge, 1}), "leaves its storage"},
        {dictOf(4, {-1}, {1}), "impossible"},
        {dictOf(4, {kHuge, kHuge}, {0, 0}), "impossible"},
        {dictOf(4, {1'000'000'000}, {0}), "far more than such a file can hold"},
    };
    for (const auto& [pickle, expected] : cases) {
        EXPECT_THAT(readErrorOf(zipOf(pickle)), AllOf(HasSubstr(expected), HasSubstr("tensor w")));
    }
    EXPECT_EQ(readErrorOf(zipOf(dictOf(4, {0, kHuge, kHuge}, {1, 1, 1}))), "")
        << "empty whatever the other sizes";
    EXPECT_EQ(readErrorOf(zipOf(dictOf(4, {1, 4, 1}, {77, 1, 99}))), "")
        << "strides of single elements do not count";
}

TEST(DamagedPyTorch, ManyViewsOfOneStorageAreBounded) {
    PickleBuilder views;
    views.op("](").tensor("0", 1 << 20, {1 << 20}, {1}).op("q\1");
    for (int i = 0; i < 100; ++i)
        views.op("h\1");
    EXPECT_THAT(readErrorOf(torchZip(views.op("e").finish(), {{"0", 1 << 20, floatBytes(1 << 20)}})),
                HasSubstr("far more than such a file can hold"));
}

TEST(DamagedPyTorch, ManySparseViewsOfOneStorageAreBounded) {
    constexpr std::int64_t kElements = 1 << 20;
    PickleBuilder views;
    views.op("](").tensor("0", kElements, {2}, {kElements - 1}).op("q\1");
    for (int i = 0; i < 100; ++i)
        views.op("h\1");
    EXPECT_THAT(readErrorOf(torchZip(views.op("e").finish(), {{"0", kElements, floatBytes(kElements)}})),
                HasSubstr("far more than such a file can hold"));
}

TEST(DamagedPyTorch, LongKeysAreErrors) {
    const std::string name(5000, 'k');
    EXPECT_THAT(
        readErrorOf(zipOf(PickleBuilder().dict().text(name).tensor("0", 4, {4}, {1}).op("s").finish())),
        HasSubstr("longer than 4096 bytes"));
    EXPECT_EQ(readErrorOf(zipOf(PickleBuilder().dict().text(name).integer(1).op("s").finish())), "")
        << "a number is no weight";
}

TEST(DamagedPyTorch, OneTextAsTheValueOfManyKeysIsBounded) {
    PickleBuilder scalars;
    scalars.dict().mark().text("first").text(std::string(1 << 20, 'x')).op("q\1");
    for (int i = 0; i < 100; ++i)
        scalars.text(std::to_string(i)).op("h\1");
    EXPECT_THAT(readErrorOf(zipOf(scalars.setItems().finish())), HasSubstr("its metadata would need"));
}

TEST(DamagedPyTorch, MissingStoragesAreNamed) {
    EXPECT_THAT(readErrorOf(torchZip(dictOf(4, {4}, {1}), {})), HasSubstr("archive/data/0 is missing"));
    EXPECT_THAT(readErrorOf(legacyFile(dictOf(4, {4}, {1}), {})), HasSubstr("storage 0 is missing"));
}

TEST(DamagedPyTorch, LegacyFilesMustBeConsistent) {
    const std::string pickle = dictOf(4, {4}, {1});
    const std::string bytes = floatBytes(4);
    EXPECT_THAT(readErrorOf(legacyFile(pickle, {{"0", std::int64_t{1} << 32, bytes}})),
                HasSubstr("claims 4294967296 elements"));
    EXPECT_THAT(readErrorOf(legacyFile(pickle, {{"0", -1, bytes}})), HasSubstr("claims"));
    EXPECT_THAT(readErrorOf(legacyFile(pickle, {{"0", 3, bytes}})), HasSubstr("has 12 bytes"));
    EXPECT_THAT(readErrorOf(legacyFile(pickle, {{"0", 4, bytes}, {"0", 4, bytes}})),
                HasSubstr("occurs twice"));
    EXPECT_THAT(readErrorOf(legacyFile(pickle, {{"1", 4, bytes}})), HasSubstr("belongs to no tensor"));
    PickleBuilder types;
    types.op("](").tensor("0", 4, {4}, {1}).tensor("0", 2, {2}, {1}, 0, "DoubleStorage").op("e");
    EXPECT_THAT(readErrorOf(legacyFile(types.finish(), {{"0", 4, bytes}})), HasSubstr("two element types"));

    std::string version = legacyFile(pickle, {{"0", 4, bytes}});
    version[19] = '\x01';
    EXPECT_THAT(readErrorOf(version), HasSubstr("unknown version"));
    EXPECT_THAT(readErrorOf("\x80\x02}."), HasSubstr("torch.save did not write"));
    const std::string full = legacyFile(pickle, {});
    EXPECT_THAT(readErrorOf(full.substr(0, full.size() - 4) + "N."), HasSubstr("list of storages"));
}

TEST(DamagedPyTorch, ZipDirectoriesAreChecked) {
    const std::string pickle = dictOf(4, {4}, {1});
    const ZipPart object{.name = "a/data.pkl", .bytes = pickle};
    const auto data = [](ZipPart part) {
        part.name = "a/data/0";
        part.bytes = floatBytes(4);
        return part;
    };
    constexpr std::uint64_t k4GB = 0xfffffff0;
    EXPECT_THAT(readErrorOf(zipFile({object, data({.size = k4GB, .packedSize = k4GB})})),
                HasSubstr("more bytes than the file"));
    EXPECT_THAT(readErrorOf(zipFile({object, data({.size = k4GB})})), HasSubstr("contradicts itself"));
    EXPECT_THAT(readErrorOf(zipFile({object, data({.method = 8, .size = k4GB})})),
                HasSubstr("far more than"));
    EXPECT_THAT(readErrorOf(zipFile({object, data({.method = 8})})), HasSubstr("does not unpack"));
    EXPECT_THAT(readErrorOf(zipFile({object, data({.method = 93})})), HasSubstr("compression method 93"));
    EXPECT_THAT(readErrorOf(zipFile({object, data({.flags = 1})})), HasSubstr("encrypted"));
    EXPECT_THAT(readErrorOf(zipFile({object, data({.crc32 = 5})})), HasSubstr("checksum"));
    EXPECT_THAT(readErrorOf(zipFile({object, object})), HasSubstr("a/data.pkl occurs twice"));
    EXPECT_THAT(readErrorOf(zipFile({object}, {.extraEntries = 1})), HasSubstr("more entries than it holds"));
    EXPECT_THAT(readErrorOf(zipFile({object}, {.directoryShift = 3})), HasSubstr("malformed"));
    EXPECT_THAT(readErrorOf(zipFile({object}, {.directoryShift = 0xfffff000})), HasSubstr("needs"));
    EXPECT_THAT(readErrorOf(zipFile({{.name = "photo.png", .bytes = "x"}})), HasSubstr("without data.pkl"));
    EXPECT_THAT(
        readErrorOf(zipFile({{.name = "a/data.pkl", .bytes = pickle, .size = k4GB, .packedSize = k4GB}})),
        HasSubstr("longer than"));
    EXPECT_THAT(readErrorOf(zipFile({object, {.name = "a/byteorder", .bytes = "big"}})),
                HasSubstr("big-endian"));

    std::string local = zipFile({object, data({})});
    local[0] = 'p';  // the local header of data.pkl; recognition needs the name "PK" and so fails first
    EXPECT_THAT(readErrorOf(local), HasSubstr("not a weight file"));
    std::string zip64 = zipFile({object, data({})}, {.zip64 = true});
    zip64[zip64.size() - 22 - 20] = 'x';
    EXPECT_THAT(readErrorOf(zip64), HasSubstr("zip64"));
}

TEST(DamagedPyTorch, DeflatedEntriesAreCheckedAgainstTheirChecksum) {
    const std::string pickle = dictOf(4, {4}, {1});
    std::string packed(100, '\0');
    z_stream stream = {};
    ASSERT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string bytes = floatBytes(4);
    stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.resize(packed.size() - stream.avail_out);
    deflateEnd(&stream);
    const auto sum = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), 16));
    const auto withSum = [&](std::uint32_t crc, std::uint64_t size) {
        return zipFile({{.name = "a/data.pkl", .bytes = pickle},
                        {.name = "a/data/0", .bytes = packed, .method = 8, .size = size, .crc32 = crc}});
    };
    EXPECT_EQ(readErrorOf(withSum(sum, 16)), "");
    EXPECT_THAT(readErrorOf(withSum(sum + 1, 16)), HasSubstr("checksum"));
    EXPECT_THAT(readErrorOf(withSum(sum, 15)), HasSubstr("does not unpack")) << "longer than stated";
    EXPECT_THAT(readErrorOf(withSum(sum, 17)), HasSubstr("does not unpack")) << "shorter than stated";
}

}  // namespace
}  // namespace bitloom::checkpoint

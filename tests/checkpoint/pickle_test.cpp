// The pickle machine by itself: what it builds and what it refuses.
#include "engine/checkpoint/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/checkpoint/builders.h"

namespace bitloom::checkpoint {
namespace {

using bitloom::testing::PickleBuilder;
using bitloom::testing::raw;
using Kind = Value::Kind;
using ::testing::HasSubstr;

Result<Pickle> run(std::string_view bytes) {
    return readPickle(std::as_bytes(std::span(bytes)));
}

std::string errorOf(std::string_view bytes) {
    const auto pickle = run(bytes);
    return pickle ? std::string() : pickle.error().message;
}

/// The root of a pickle that must be valid.
Value rootOf(std::string_view bytes) {
    const auto pickle = run(bytes);
    EXPECT_TRUE(pickle.ok()) << (pickle ? "" : pickle.error().message);
    return pickle ? (*pickle)[pickle->root] : Value{};
}

TEST(Pickle, ReadsNumbersOfEveryProtocol) {
    EXPECT_EQ(rootOf("I42\n.").integer, 42);
    EXPECT_EQ(rootOf("L-7L\n.").integer, -7);
    EXPECT_EQ(rootOf("F2.5\n.").real, 2.5);
    EXPECT_EQ(rootOf("I01\n.").kind, Kind::Bool);
    EXPECT_EQ(rootOf("J" + raw(std::int32_t{-5}) + ".").integer, -5);
    EXPECT_EQ(rootOf("M" + raw(std::uint16_t{60000}) + ".").integer, 60000);
    EXPECT_EQ(rootOf(std::string_view("\x8a\x00.", 3)).integer, 0);
    EXPECT_EQ(rootOf("\x8a\x01\xff.").integer, -1);
    EXPECT_EQ(rootOf(std::string_view("\x8a\x03\xff\xff\x00.", 6)).integer, 65535);
    EXPECT_EQ(rootOf("\x8b" + raw(std::int32_t{2}) + raw(std::int16_t{-300}) + ".").integer, -300);
    EXPECT_EQ(rootOf("\x8a\x09" + raw(std::int64_t{1}) + "\x01.").kind, Kind::BigInt);
    EXPECT_EQ(rootOf("L99999999999999999999L\n.").kind, Kind::BigInt);
    EXPECT_EQ(rootOf(PickleBuilder().real(-0.125).finish()).real, -0.125);
    EXPECT_EQ(rootOf("\x88.").integer, 1);
    EXPECT_EQ(rootOf("N.").kind, Kind::None);
}

TEST(Pickle, ReadsTextAndBytesOfEveryProtocol) {
    EXPECT_EQ(rootOf("S'one'\n.").text, "one");
    EXPECT_EQ(rootOf("Vtwo\n.").text, "two");
    EXPECT_EQ(rootOf("U\x03six.").text, "six");
    EXPECT_EQ(rootOf("T" + raw(std::uint32_t{3}) + "ten.").text, "ten");
    EXPECT_EQ(rootOf("\x8c\x04"
                     "four.")
                  .text,
              "four");
    EXPECT_EQ(rootOf("\x8d" + raw(std::uint64_t{5}) + "seven.").text, "seven");
    EXPECT_EQ(rootOf("C\x02hi.").kind, Kind::Bytes);
    EXPECT_EQ(rootOf("U\x02\xff\xfe.").kind, Kind::Bytes) << "a text that is not UTF-8";
    EXPECT_EQ(rootOf("\x8e" + raw(std::uint64_t{2}) + "hi.").text, "hi");
    // How protocol 2 writes the bytes e9 41: as text, encoded by Latin-1.
    const auto latin = PickleBuilder()
                           .global("_codecs", "encode")
                           .mark()
                           .text(
                               "\xc3\xa9"
                               "A")
                           .text("latin1")
                           .tuple()
                           .reduce();
    EXPECT_EQ(rootOf(latin.finish()).text,
              "\xe9"
              "A");
}

TEST(Pickle, BuildsContainersByEveryInstruction) {
    for (const char* list : {"](K\x01K\x02"
                             "e.",
                             "]K\x01"
                             "aK\x02"
                             "a.",
                             "(K\x01K\x02l.",
                             "(lK\x01"
                             "aK\x02"
                             "a."}) {
        const Value value = rootOf(list);
        EXPECT_EQ(value.kind, Kind::List) << list;
        EXPECT_EQ(value.items.size(), 2u) << list;
    }
    EXPECT_EQ(rootOf("K\x01K\x02K\x03\x87.").items.size(), 3u);
    EXPECT_EQ(rootOf("(K\x01K\x02t.").kind, Kind::Tuple);
    EXPECT_EQ(rootOf("}K\x01K\x02s.").items.size(), 2u);
    EXPECT_EQ(rootOf("(K\x01K\x02"
                     "d.")
                  .kind,
              Kind::Dict);
    EXPECT_EQ(rootOf("\x8f(K\x01\x90.").kind, Kind::Set);
    EXPECT_EQ(rootOf("(K\x01\x91.").kind, Kind::Set);
    EXPECT_EQ(rootOf("K\x07K\x08"
                     "0.")
                  .integer,
              7)
        << "POP";
    EXPECT_EQ(rootOf("K\x07(K\x08"
                     "1.")
                  .integer,
              7)
        << "POP_MARK";
    EXPECT_EQ(rootOf("K\x07"
                     "2\x86.")
                  .items.size(),
              2u)
        << "DUP";
}

TEST(Pickle, RemembersAndRecallsByEveryInstruction) {
    EXPECT_EQ(rootOf("K\x07p3\n0g3\n.").integer, 7);
    EXPECT_EQ(rootOf("K\x07q\x03"
                     "0h\x03.")
                  .integer,
              7);
    EXPECT_EQ(rootOf("K\x07r" + raw(std::uint32_t{0xfffffff0}) + "0j" + raw(std::uint32_t{0xfffffff0}) + ".")
                  .integer,
              7);
    EXPECT_EQ(rootOf(std::string_view("K\x07\x94"
                                      "0h\x00.",
                                      7))
                  .integer,
              7);
}

TEST(Pickle, BuildsKnownObjectsWithoutCallingPython) {
    const auto ordered = PickleBuilder()
                             .global("collections", "OrderedDict")
                             .op("(](U\x01"
                                 "aK\x01"
                                 "etR");
    EXPECT_THAT(errorOf(ordered.finish()), HasSubstr("dictionary"));
    EXPECT_EQ(rootOf("ccollections\nOrderedDict\n(]](U\x01"
                     "aK\x05"
                     "eatR.")
                  .items.size(),
              2u)
        << "a list of pairs";
    EXPECT_EQ(rootOf("ccollections\nOrderedDict\n)R}(U\x01kK\x01ub.").kind, Kind::Dict)
        << "attributes are dropped";
    EXPECT_EQ(rootOf("ctorch\nSize\n((K\x02K\x03ttR.").items.size(), 2u);
    EXPECT_EQ(rootOf("ctorch\ndevice\n(U\x04"
                     "cudaK\x01tR.")
                  .text,
              "cuda:1");
    EXPECT_EQ(rootOf("c__builtin__\nset\n(](K\x01K\x02"
                     "etR.")
                  .kind,
              Kind::Set);
    EXPECT_EQ(rootOf("(i__builtin__\ndict\n.").kind, Kind::Dict) << "INST";
    EXPECT_EQ(rootOf("(c__builtin__\nlist\no.").kind, Kind::List) << "OBJ";
    EXPECT_EQ(rootOf("\x8c\x08"
                     "builtins\x8c\x04"
                     "dict\x93)\x81.")
                  .kind,
              Kind::Dict)
        << "STACK_GLOBAL, NEWOBJ";
    EXPECT_EQ(rootOf("cbuiltins\ndict\n)}\x92.").kind, Kind::Dict) << "NEWOBJ_EX";
    const auto scalar = [](std::string_view type, const std::string& bytes) {
        return PickleBuilder()
            .global("numpy.core.multiarray", "scalar")
            .mark()
            .global("numpy", "dtype")
            .mark()
            .text(type)
            .op("\x89\x88")
            .tuple()
            .reduce()
            .op("C")
            .op(raw(static_cast<std::uint8_t>(bytes.size())))
            .op(bytes)
            .tuple()
            .reduce()
            .finish();
    };
    EXPECT_EQ(rootOf(scalar("f8", raw(0.25))).real, 0.25);
    EXPECT_EQ(rootOf(scalar("f4", raw(0.5f))).real, 0.5);
    EXPECT_EQ(rootOf(scalar("i8", raw(std::int64_t{-3}))).integer, -3);
    EXPECT_EQ(rootOf(scalar("i4", raw(std::int32_t{-4}))).integer, -4);
    EXPECT_EQ(rootOf(scalar("i2", raw(std::int16_t{-5}))).integer, -5);
    EXPECT_EQ(rootOf(scalar("i1", "\xfa")).integer, -6);
    EXPECT_EQ(rootOf(scalar("u1", "\xfa")).integer, 250);
    EXPECT_EQ(rootOf(scalar("b1", "\x01")).kind, Kind::Bool);
    EXPECT_THAT(errorOf(scalar("f8", "123")), HasSubstr("f8"));
    EXPECT_THAT(errorOf(scalar("O8", "12345678")), HasSubstr("O8"));
}

TEST(Pickle, DescribesTensors) {
    const auto pickle = run(PickleBuilder().tensor("9", 24, {2, 3}, {6, 1}, 4, "HalfStorage").finish());
    ASSERT_TRUE(pickle.ok()) << pickle.error().message;
    ASSERT_EQ((*pickle)[pickle->root].kind, Kind::Tensor);
    const TensorView& tensor = pickle->tensors.at(0);
    EXPECT_EQ(tensor.shape, (graph::Shape{2, 3}));
    EXPECT_EQ(tensor.strides, (graph::Shape{6, 1}));
    EXPECT_EQ(tensor.offset, 4);
    const StorageView& storage = pickle->storages.at(tensor.storage);
    EXPECT_EQ(storage.key, "9");
    EXPECT_EQ(storage.dtype, graph::DType::F16);
    EXPECT_EQ(storage.elements, 24u);
}

TEST(Pickle, StopsAtTheFirstStop) {
    const auto pickle = run("K\x01.K\x02.");
    ASSERT_TRUE(pickle.ok());
    EXPECT_EQ(pickle->length, 3u);
}

TEST(Pickle, NamesCodeThatItRefusesToRun) {
    const auto attack = PickleBuilder().global("posix", "system").mark().text("touch x").tuple().reduce();
    EXPECT_THAT(errorOf(attack.finish()),
                HasSubstr("posix.system: this file asks to run code; Bitloom executes nothing"));
    for (const char* other :
         {"cos\nsystem\n(S'true'\ntR.", "(S'true'\nios\nsystem\n.", "(cos\nsystem\nS'true'\no.",
          "\x8c\x02os\x8c\x06system\x93.", "c__builtin__\neval\n(S'1'\ntR.", "csubprocess\nPopen\n)R.",
          "cbuiltins\ngetattr\n.", "cos.path\njoin\n."}) {
        EXPECT_THAT(errorOf(other), HasSubstr("asks to run code")) << other;
    }
}

TEST(Pickle, TellsHowToSaveWhatItCannotRead) {
    EXPECT_THAT(
        errorOf("ctorchvision.models.resnet\nResNet\n)\x81."),
        AllOf(HasSubstr("torchvision.models.resnet.ResNet"), HasSubstr("torch.save(model.state_dict()")));
    EXPECT_THAT(errorOf("c__torch__\nNet\n)\x81."), HasSubstr("TorchScript"));
    EXPECT_THAT(errorOf("ctorch._utils\n_rebuild_qtensor\n."), HasSubstr("dense"));
    EXPECT_THAT(errorOf(PickleBuilder().mark().text("module").tuple().op("Q").finish()),
                HasSubstr("state_dict"));
}

TEST(Pickle, RefusesMalformedPrograms) {
    const std::pair<std::string, const char*> cases[] = {
        {".", "stack is empty"},
        {"0.", "stack is empty"},
        {"t.", "mark is missing"},
        {"(0K\x01K\x01t.", "mark is missing"},
        {"(\x85.", "stack is empty"},
        {"K\x01"
         "a.",
         "stack is empty"},
        {"K\x01K\x02"
         "a.",
         "cannot hold"},
        {"}(K\x01u.", "cannot hold"},
        {"(K\x01"
         "d.",
         "key without a value"},
        {"]K\x01K\x02s.", "cannot hold"},
        {"h\x05.", "never stored"},
        {"gx\n.", "malformed"},
        {"Ix\n.", "malformed"},
        {"Fx\n.", "malformed"},
        {"S'a\n.", "quotes"},
        {"S'a\\x41'\n.", "protocol 0"},
        {"K\x01)R.", "not a function"},
        {"ctorch\nSize\nK\x01R.", "not a function"},
        {"ctorch\nFloatStorage\n)R.", "torch.FloatStorage"},
        {"cbuiltins\ndict\n)}K\x01K\x02s\x92.", "keyword"},
        {"K\x01K\x02\x93.", "not text"},
        {"K\x01}b.", "attributes"},
        {"(o.", "class"},
        {"\x80\x06N.", "protocol 6"},
        {"\x82\x01.", "0x82"},
        {"\x97.", "0x97"},
        {"Pkey\n.", "persistent id"},
        {"K\x01Q.", "storage"},
        {PickleBuilder().tensor("0", -1, {1}, {1}).finish(), "storage"},
        {PickleBuilder().tensor("0", 4, {2, 2}, {1}).finish(), "tensor"},
        {PickleBuilder()
             .tensor("0", 4, std::vector<std::int64_t>(65, 1), std::vector<std::int64_t>(65, 1))
             .finish(),
         "tensor"},
        {PickleBuilder().tensor(std::string(2000, 'k'), 4, {1}, {1}).finish(), "storage"},
        {PickleBuilder()
             .global("_codecs", "encode")
             .mark()
             .text("\xe2\x82\xac")
             .text("latin1")
             .tuple()
             .reduce()
             .finish(),
         "byte string"},
        {PickleBuilder().global("_codecs", "encode").mark().text("a").text("rot13").tuple().reduce().finish(),
         "byte string"},
    };
    for (const auto& [program, expected] : cases)
        EXPECT_THAT(errorOf(program), HasSubstr(expected)) << program;
}

TEST(Pickle, BoundsWhatASmallPickleCanDemand) {
    EXPECT_THAT(errorOf("\x8b\xff\xff\xff\xff."), HasSubstr("ends early"));
    EXPECT_THAT(errorOf("X\xff\xff\xff\xff"
                        "a."),
                HasSubstr("ends early"));
    EXPECT_THAT(errorOf("\x8e\xff\xff\xff\xff\xff\xff\xff\xff"
                        "a."),
                HasSubstr("ends early"));
    EXPECT_THAT(errorOf(std::string(2'100'000, 'N') + "."), HasSubstr("more than"));
    EXPECT_THAT(errorOf("N" + std::string(4'100'000, '2') + "."), HasSubstr("too many values"));
    EXPECT_THAT(errorOf(std::string(4'100'000, '(') + "."), HasSubstr("too many marks"));
    // One long list, copied by every call.
    std::string copies = "(" + std::string(100'000, 'N') + "lp0\n";
    for (int i = 0; i < 1000; ++i)
        copies += "cbuiltins\nlist\n(g0\ntR0";
    EXPECT_THAT(errorOf(copies + "."), HasSubstr("copy too much"));
}

TEST(Pickle, EveryPrefixIsAnErrorAndNothingElse) {
    const std::string whole = PickleBuilder()
                                  .dict()
                                  .mark()
                                  .text("a")
                                  .tensor("0", 4, {2, 2}, {2, 1})
                                  .text("b")
                                  .real(1)
                                  .setItems()
                                  .finish();
    ASSERT_EQ(errorOf(whole), "");
    for (std::size_t length = 0; length < whole.size(); ++length) {
        EXPECT_THAT(errorOf(whole.substr(0, length)), HasSubstr("ends early")) << length;
    }
}

}  // namespace
}  // namespace bitloom::checkpoint

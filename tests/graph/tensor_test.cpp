// Element conversion of every dtype against values written out by hand, finiteness, and the state hash.
#include "engine/graph/tensor.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gmock/gmock.h>

namespace bitloom::graph {
namespace {

using ::testing::ElementsAre;

template <class T>
Tensor tensorOf(DType dtype, const std::vector<T>& values) {
    Tensor tensor{.dtype = dtype, .shape = {static_cast<std::int64_t>(values.size())}, .bytes = {}};
    tensor.bytes.resize(values.size() * sizeof(T));
    std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
    return tensor;
}

TEST(Shape, CountsElements) {
    EXPECT_EQ(elementCount({}), 1);
    EXPECT_EQ(elementCount({3}), 3);
    EXPECT_EQ(elementCount({2, 3, 5}), 30);
    EXPECT_EQ(elementCount({2, 0, 5}), 0);
}

TEST(Shape, SaturatesInsteadOfOverflowing) {
    const std::int64_t big = std::int64_t{1} << 40;
    EXPECT_EQ(elementCount({big, big}), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(elementCount({big, big, 3, 5}), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(elementCount({big, big, 0}), 0);
}

TEST(Shape, HasText) {
    EXPECT_EQ(toText(Shape{16, 3, 3, 3}), "[16, 3, 3, 3]");
    EXPECT_EQ(toText(Shape{}), "[]");
}

TEST(DTypes, HaveSizesAndNames) {
    EXPECT_EQ(byteSize(DType::F64), 8u);
    EXPECT_EQ(byteSize(DType::I64), 8u);
    EXPECT_EQ(byteSize(DType::F32), 4u);
    EXPECT_EQ(byteSize(DType::I32), 4u);
    EXPECT_EQ(byteSize(DType::F16), 2u);
    EXPECT_EQ(byteSize(DType::BF16), 2u);
    EXPECT_EQ(byteSize(DType::I16), 2u);
    EXPECT_EQ(byteSize(DType::I8), 1u);
    EXPECT_EQ(byteSize(DType::U8), 1u);
    EXPECT_EQ(byteSize(DType::Bool), 1u);
    EXPECT_STREQ(toText(DType::BF16), "bfloat16");
    EXPECT_TRUE(isFloating(DType::F16));
    EXPECT_FALSE(isFloating(DType::Bool));
}

TEST(Tensor, KeepsFloatsAndIntegers) {
    const Tensor floats = Tensor::fromFloats({2, 2}, {1.5f, -2.0f, 0.0f, 3.25f});
    EXPECT_EQ(floats.count(), 4);
    EXPECT_THAT(floats.toFloats(), ElementsAre(1.5f, -2.0f, 0.0f, 3.25f));
    const Tensor integers = Tensor::fromInt64({}, {-7});
    EXPECT_EQ(integers.count(), 1);
    EXPECT_THAT(integers.toFloats(), ElementsAre(-7.0f));
}

TEST(Tensor, RoundsWideTypesToNearest) {
    EXPECT_THAT(tensorOf<double>(DType::F64, {1.0 / 3, 1 + 0x1.8p-24}).toFloats(),
                ElementsAre(1.0f / 3, 1 + 0x1.0p-23f));
    EXPECT_THAT(tensorOf<std::int64_t>(DType::I64, {16777219, -1}).toFloats(),
                ElementsAre(16777220.0f, -1.0f));
}

TEST(Tensor, ConvertsNarrowIntegers) {
    EXPECT_THAT(tensorOf<std::int32_t>(DType::I32, {-5, 7}).toFloats(), ElementsAre(-5.0f, 7.0f));
    EXPECT_THAT(tensorOf<std::int16_t>(DType::I16, {-300}).toFloats(), ElementsAre(-300.0f));
    EXPECT_THAT(tensorOf<std::int8_t>(DType::I8, {-128}).toFloats(), ElementsAre(-128.0f));
    EXPECT_THAT(tensorOf<std::uint8_t>(DType::U8, {255}).toFloats(), ElementsAre(255.0f));
    EXPECT_THAT(tensorOf<std::uint8_t>(DType::Bool, {0, 1, 2}).toFloats(), ElementsAre(0.0f, 1.0f, 1.0f));
}

TEST(Tensor, ConvertsHalfPrecision) {
    // IEEE 754 binary16: 1, -2, largest finite, smallest normal, smallest and largest subnormal, 1/3, zeros.
    const Tensor half = tensorOf<std::uint16_t>(
        DType::F16, {0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x03ff, 0x3555, 0x0000, 0x8000});
    const std::vector<float> values = half.toFloats();
    EXPECT_THAT(values, ElementsAre(1.0f, -2.0f, 65504.0f, 0x1.0p-14f, 0x1.0p-24f, 1023 * 0x1.0p-24f,
                                    0x1.554p-2f, 0.0f, -0.0f));
    EXPECT_TRUE(std::signbit(values.back()));
    const std::vector<float> special =
        tensorOf<std::uint16_t>(DType::F16, {0x7c00, 0xfc00, 0x7e00}).toFloats();
    EXPECT_EQ(special[0], std::numeric_limits<float>::infinity());
    EXPECT_EQ(special[1], -std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(special[2]));
}

TEST(Tensor, ConvertsBrainFloat) {
    const Tensor brain = tensorOf<std::uint16_t>(DType::BF16, {0x3f80, 0xc040, 0x7f80, 0x0001});
    EXPECT_THAT(brain.toFloats(),
                ElementsAre(1.0f, -3.0f, std::numeric_limits<float>::infinity(), 0x1.0p-133f));
}

TEST(Tensor, FindsTheFirstNonFiniteElement) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    EXPECT_EQ(Tensor::fromFloats({2}, {1, 2}).firstNonFinite(), -1);
    EXPECT_EQ(Tensor::fromFloats({4}, {1, infinity, nan, 2}).firstNonFinite(), 1);
    EXPECT_EQ(tensorOf<double>(DType::F64, {0, 1e300}).firstNonFinite(), -1);
    EXPECT_EQ(tensorOf<double>(DType::F64, {0, -HUGE_VAL}).firstNonFinite(), 1);
    EXPECT_EQ(tensorOf<std::uint16_t>(DType::F16, {0x3c00, 0x7e00}).firstNonFinite(), 1);
    EXPECT_EQ(tensorOf<std::uint16_t>(DType::BF16, {0x7f80}).firstNonFinite(), 0);
    EXPECT_EQ(tensorOf<std::uint8_t>(DType::U8, {255}).firstNonFinite(), -1);
}

StateDict sampleState() {
    StateDict state;
    state["b"] = Tensor::fromFloats({2}, {1, 2});
    state["a"] = Tensor::fromFloats({1, 2}, {3, 4});
    return state;
}

TEST(StateHash, DoesNotDependOnInsertionOrder) {
    StateDict reversed;
    reversed["a"] = Tensor::fromFloats({1, 2}, {3, 4});
    reversed["b"] = Tensor::fromFloats({2}, {1, 2});
    EXPECT_EQ(hashState(reversed), hashState(sampleState()));
}

TEST(StateHash, SeesValuesNamesShapesAndTypes) {
    const std::uint64_t original = hashState(sampleState());
    StateDict value = sampleState();
    value["b"] = Tensor::fromFloats({2}, {1, std::nextafter(2.0f, 3.0f)});
    EXPECT_NE(hashState(value), original);
    StateDict shape = sampleState();
    shape["a"].shape = {2, 1};
    EXPECT_NE(hashState(shape), original);
    StateDict name = sampleState();
    name["c"] = name["b"];
    name.erase("b");
    EXPECT_NE(hashState(name), original);
    StateDict dtype = sampleState();
    dtype["a"].dtype = DType::I32;
    EXPECT_NE(hashState(dtype), original);
}

}  // namespace
}  // namespace bitloom::graph

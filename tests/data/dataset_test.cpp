#include "engine/data/dataset.h"

#include <gmock/gmock.h>

namespace bitloom::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Error openingError(std::string_view source, int imageSize = 0) {
    const auto dataset = openDataset(source, Split::Train, imageSize);
    EXPECT_FALSE(dataset.ok()) << source;
    return dataset.ok() ? Error{} : dataset.error();
}

TEST(DatasetSource, NamesTheNearestKind) {
    const Error error = openingError("cifar-10:somewhere");
    EXPECT_EQ(error.kind, ErrorKind::Usage);
    EXPECT_THAT(error.message, AllOf(HasSubstr("'cifar-10:somewhere'"), HasSubstr("did you mean 'cifar10'")));
    EXPECT_THAT(openingError("generate").message, HasSubstr("did you mean 'generated'"));
    EXPECT_THAT(openingError("").message, HasSubstr("generated:SEED,TRAIN,TEST"));
}

TEST(DatasetSource, AsksForAFolder) {
    for (const char* source : {"cifar10", "cifar10:", "folder", "folder:"}) {
        const Error error = openingError(source);
        EXPECT_EQ(error.kind, ErrorKind::Usage) << source;
        EXPECT_THAT(error.message, HasSubstr("name a folder after the colon")) << source;
    }
}

TEST(DatasetSource, RefusesImageSizesOutOfRange) {
    for (const int size : {-1, 1025}) {
        const Error error = openingError("folder:somewhere", size);
        EXPECT_EQ(error.kind, ErrorKind::Usage);
        EXPECT_THAT(error.message, HasSubstr("choose from 1 to 1024"));
    }
}

TEST(NormalizationByName, HoldsThePublishedValues) {
    const auto imagenet = normalizationByName("imagenet");
    ASSERT_TRUE(imagenet.ok());
    EXPECT_THAT(imagenet->mean, ElementsAre(0.485f, 0.456f, 0.406f));
    EXPECT_THAT(imagenet->deviation, ElementsAre(0.229f, 0.224f, 0.225f));
    const auto cifar10 = normalizationByName("cifar10");
    ASSERT_TRUE(cifar10.ok());
    EXPECT_THAT(cifar10->mean, ElementsAre(0.4914f, 0.4822f, 0.4465f));
    EXPECT_THAT(cifar10->deviation, ElementsAre(0.2023f, 0.1994f, 0.2010f));
    const auto half = normalizationByName("half");
    ASSERT_TRUE(half.ok());
    EXPECT_THAT(half->mean, ElementsAre(0.5f, 0.5f, 0.5f));
    EXPECT_THAT(half->deviation, ElementsAre(0.5f, 0.5f, 0.5f));
    const auto none = normalizationByName("none");
    ASSERT_TRUE(none.ok());
    EXPECT_THAT(none->mean, ElementsAre(0.0f, 0.0f, 0.0f));
    EXPECT_THAT(none->deviation, ElementsAre(1.0f, 1.0f, 1.0f));
}

TEST(NormalizationByName, NamesTheNearest) {
    const auto unknown = normalizationByName("imagnet");
    ASSERT_FALSE(unknown.ok());
    EXPECT_EQ(unknown.error().kind, ErrorKind::Usage);
    EXPECT_THAT(unknown.error().message,
                AllOf(HasSubstr("'imagnet'"), HasSubstr("did you mean 'imagenet'"), HasSubstr("half")));
}

}  // namespace
}  // namespace bitloom::data

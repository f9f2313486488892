#include "engine/jobs/checkpoint_folder.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>
#include <vector>

#include "engine/base/hash.h"
#include "engine/base/system_error.h"
#include "engine/graph/graph_json.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kSuffix = ".safetensors";
constexpr std::size_t kKept = 2;
constexpr const char* kRunKey = "run";
constexpr const char* kHashKey = "hash";
constexpr const char* kTeacherFile = "teacher.safetensors";
constexpr const char* kGraphKey = "graph";

std::optional<std::int64_t> stepOf(const std::string& name) {
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
    const std::string_view digits =
        std::string_view(name).substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    std::int64_t step = -1;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
    if (code != std::errc() || end != digits.data() + digits.size() || step < 0) return std::nullopt;
    return step;
}

std::string metadataOf(const checkpoint::Checkpoint& checkpoint, const char* key) {
    const auto found = checkpoint.metadata.find(key);
    return found == checkpoint.metadata.end() ? std::string() : found->second;
}

/// As far as the folder can be read; none of a folder that is not there.
std::vector<fs::path> filesIn(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code code;
    for (fs::directory_iterator file(folder, code); !code && file != fs::directory_iterator();
         file.increment(code)) {
        files.push_back(file->path());
    }
    return files;
}

Status removeFile(const fs::path& path) {
    std::error_code code;
    fs::remove(path, code);
    if (code) return fail("{}: cannot remove it: {}", path.string(), code.message());
    return {};
}

}  // namespace

std::string CheckpointFolder::identityOf(const report::RunInfo& info) {
    const std::string text = info.started + "\n" + info.jobToml;
    return hashText(hashBytes(std::as_bytes(std::span(text))));
}

CheckpointFolder::CheckpointFolder(const fs::path& run, std::string identity)
    : m_path(run.string() + ".ckpt"), m_identity(std::move(identity)) {}

std::vector<CheckpointFolder::Entry> CheckpointFolder::entries() const {
    std::vector<Entry> found;
    for (const fs::path& path : filesIn(m_path)) {
        if (const auto step = stepOf(path.filename().string())) found.push_back({*step, path});
    }
    std::ranges::sort(found, std::greater(), &Entry::step);
    return found;
}

Status CheckpointFolder::make() const {
    std::error_code code;
    fs::create_directories(m_path, code);
    if (code) {
        return fail("{}: cannot make the folder for checkpoints: {}", m_path.string(),
                    describeSystemError(code.value()));
    }
    return {};
}

std::int64_t CheckpointFolder::newestStep() const {
    const std::vector<Entry> found = entries();
    return found.empty() ? -1 : found.front().step;
}

bool CheckpointFolder::isEmpty() const {
    std::error_code code;
    const fs::directory_iterator readable(m_path, code);
    return !code && entries().empty();
}

bool CheckpointFolder::owns(const fs::path& path) const {
    const auto checkpoint = checkpoint::readCheckpoint(path);
    return checkpoint && metadataOf(*checkpoint, kRunKey) == m_identity;
}

Status CheckpointFolder::claim() {
    BITLOOM_RETURN_IF_ERROR(make());
    for (const fs::path& path : filesIn(m_path)) {
        const std::string name = path.filename().string();
        const bool known = name.starts_with(kPrefix) || name.starts_with(kTeacherFile);
        const bool halfWritten = known && name.find(".tmp") != std::string::npos;
        const bool whole = stepOf(name).has_value() || name == kTeacherFile;
        if (halfWritten || (whole && !owns(path))) BITLOOM_RETURN_IF_ERROR(removeFile(path));
    }
    return {};
}

Status CheckpointFolder::save(const train::TrainerState& state) {
    const fs::path path = m_path / fmt::format("{}{}{}", kPrefix, state.step, kSuffix);
    BITLOOM_RETURN_IF_ERROR(write(path, state.tensors, {}));
    const std::vector<Entry> all = entries();
    for (std::size_t i = kKept; i < all.size(); ++i) {
        BITLOOM_RETURN_IF_ERROR(removeFile(all[i].path));
    }
    return {};
}

Status CheckpointFolder::write(const fs::path& path, const graph::StateDict& tensors,
                               std::map<std::string, std::string> metadata) const {
    metadata[kRunKey] = m_identity;
    metadata[kHashKey] = hashText(graph::hashState(tensors));
    return checkpoint::writeSafetensors(path, tensors, metadata);
}

Result<checkpoint::Checkpoint> CheckpointFolder::readWhole(const fs::path& path) const {
    BITLOOM_ASSIGN_OR_RETURN(checkpoint::Checkpoint checkpoint, checkpoint::readCheckpoint(path));
    if (metadataOf(checkpoint, kRunKey) != m_identity) {
        return fail("{}: belongs to another run", path.string());
    }
    if (metadataOf(checkpoint, kHashKey) != hashText(graph::hashState(checkpoint.tensors))) {
        return fail("{}: its content does not match its hash", path.string());
    }
    return checkpoint;
}

Status CheckpointFolder::saveTeacher(const train::Teacher& teacher) {
    return write(m_path / kTeacherFile, teacher.state, {{kGraphKey, graph::toJson(teacher.graph)}});
}

Result<train::Teacher> CheckpointFolder::teacher() const {
    const fs::path path = m_path / kTeacherFile;
    BITLOOM_ASSIGN_OR_RETURN(checkpoint::Checkpoint checkpoint, readWhole(path));
    auto graph = graph::fromJson(metadataOf(checkpoint, kGraphKey));
    if (!graph) return fail("{}: {}; train the run again", path.string(), graph.error().message);
    return train::Teacher{std::move(graph).value(), std::move(checkpoint.tensors)};
}

Result<train::TrainerState> CheckpointFolder::read(const Entry& entry) const {
    BITLOOM_ASSIGN_OR_RETURN(checkpoint::Checkpoint checkpoint, readWhole(entry.path));
    return train::TrainerState{std::move(checkpoint.tensors), entry.step};
}

Result<std::optional<train::TrainerState>> CheckpointFolder::newest(
    const std::function<void(const std::string&)>& warn) const {
    for (const Entry& entry : entries()) {
        auto state = read(entry);
        if (state) return std::optional(std::move(state).value());
        warn(state.error().message);
    }
    return std::optional<train::TrainerState>();
}

Status CheckpointFolder::dropAfter(std::int64_t step) {
    for (const Entry& entry : entries()) {
        if (entry.step > step) BITLOOM_RETURN_IF_ERROR(removeFile(entry.path));
    }
    return {};
}

}  // namespace bitloom::jobs

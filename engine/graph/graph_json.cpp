// JSON form of a Graph: {"format", "version", "arch", "nodes": [{"name", "op", "inputs": [names],
// attributes...}]}. Writer and reader walk the same list of attributes, so neither can forget one. Pure
// functions, any thread.
#include "engine/graph/graph_json.h"

#include <limits>
#include <optional>
#include <set>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "engine/base/text.h"

namespace bitloom::graph {
namespace {

// Written in the order of the code. Read into sorted objects: an ordered one searches all its keys for each
// key that it adds, which a hostile file would make quadratic.
using OutputJson = nlohmann::ordered_json;
using Json = nlohmann::json;

constexpr const char* kFormat = "bitloom-graph";
constexpr int kVersion = 1;
/// The parsed form of a hostile text is up to 70 times as large. Ten thousand convolutions take 3 MB.
constexpr std::size_t kMaxBytes = std::size_t{8} << 20;
constexpr std::size_t kMaxNodes = 10'000;
constexpr std::size_t kMaxName = 1'000;

// The attributes of each op under their JSON keys; `op` may be const.
template <class T, class Op_>
concept Is = std::is_same_v<std::remove_const_t<Op_>, T>;

template <class OpType, class Visit>
void visitAttributes(OpType& op, Visit&& visit) {
    if constexpr (Is<Input, OpType>) {
        visit("shape", op.shape);
    } else if constexpr (Is<Conv2d, OpType>) {
        visit("in_channels", op.inChannels);
        visit("out_channels", op.outChannels);
        visit("kernel", op.kernel);
        visit("stride", op.stride);
        visit("padding", op.padding);
        visit("dilation", op.dilation);
        visit("groups", op.groups);
        visit("bias", op.bias);
    } else if constexpr (Is<BatchNorm2d, OpType>) {
        visit("channels", op.channels);
        visit("epsilon", op.epsilon);
        visit("momentum", op.momentum);
    } else if constexpr (Is<Linear, OpType>) {
        visit("in_features", op.inFeatures);
        visit("out_features", op.outFeatures);
        visit("bias", op.bias);
    } else if constexpr (Is<MaxPool2d, OpType> || Is<AvgPool2d, OpType>) {
        visit("kernel", op.kernel);
        visit("stride", op.stride);
        visit("padding", op.padding);
    } else if constexpr (Is<Pad, OpType>) {
        visit("channels_before", op.channelsBefore);
        visit("channels_after", op.channelsAfter);
        visit("before", op.before);
        visit("after", op.after);
    } else if constexpr (Is<Slice, OpType>) {
        visit("stride", op.stride);
    } else {
        static_assert(std::is_empty_v<OpType>, "an op with attributes needs its list here");
    }
}

bool readInto(const Json& json, std::int64_t& value) {
    // Unsigned numbers beyond int64 would wrap.
    if (!json.is_number_integer()) return false;
    if (json.is_number_unsigned() &&
        json.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
        return false;
    value = json.get<std::int64_t>();
    return true;
}

bool readInto(const Json& json, bool& value) {
    if (json.is_boolean()) value = json.get<bool>();
    return json.is_boolean();
}

bool readInto(const Json& json, double& value) {
    if (json.is_number()) value = json.get<double>();
    return json.is_number();
}

bool readInto(const Json& json, Size2& value) {
    return json.is_array() && json.size() == 2 && readInto(json[0], value[0]) && readInto(json[1], value[1]);
}

bool readInto(const Json& json, Shape& value) {
    constexpr std::size_t kMaxRank = 8;
    if (!json.is_array() || json.size() > kMaxRank) return false;
    value.assign(json.size(), 0);
    for (std::size_t i = 0; i < json.size(); ++i) {
        if (!readInto(json[i], value[i])) return false;
    }
    return true;
}

/// A member that is a string, or null.
const std::string* stringMember(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get_ptr<const std::string*>() : nullptr;
}

template <std::size_t... Index>
std::vector<Op> defaultOps(std::index_sequence<Index...>) {
    return {Op(std::variant_alternative_t<Index, Op>{})...};
}

Result<Op> opNamed(const std::string& kind) {
    static const std::vector<Op> kOps = defaultOps(std::make_index_sequence<std::variant_size_v<Op>>{});
    std::vector<std::string> names;
    for (const Op& op : kOps) {
        if (kind == kindName(op)) return op;
        names.emplace_back(kindName(op));
    }
    return fail("has the unknown op '{}'; did you mean '{}'?", kind, nearestName(kind, names));
}

Result<Op> readOp(const Json& json) {
    const std::string* kind = stringMember(json, "op");
    if (kind == nullptr) return fail("has no \"op\"");
    BITLOOM_ASSIGN_OR_RETURN(Op op, opNamed(*kind));
    std::set<std::string, std::less<>> keys = {"name", "op", "inputs"};
    std::string wrong;
    const auto read = [&](const char* key, auto& value) {
        keys.emplace(key);
        const auto found = json.find(key);
        if ((found == json.end() || !readInto(*found, value)) && wrong.empty()) wrong = key;
    };
    std::visit([&](auto& attributes) { visitAttributes(attributes, read); }, op);
    if (!wrong.empty()) return fail("({}) has a missing or malformed \"{}\"", *kind, wrong);
    for (const auto& [key, value] : json.items()) {
        if (!keys.contains(key)) return fail("({}) has the unknown attribute \"{}\"", *kind, key);
    }
    return op;
}

Result<std::vector<NodeId>> readInputs(const Json& json, const Graph& graph, const Op& op) {
    const auto found = json.find("inputs");
    if (found == json.end() || !found->is_array()) return fail("has no list of \"inputs\"");
    std::vector<NodeId> inputs;
    for (const Json& input : *found) {
        const std::string* name = input.get_ptr<const std::string*>();
        if (name == nullptr)
            return fail("has an input of type {}; inputs are names of nodes", input.type_name());
        const std::optional<NodeId> id = graph.find(*name);
        if (!id) {
            return fail("takes the input \"{}\", which is not the name of an earlier node",
                        name->substr(0, kMaxName));
        }
        inputs.push_back(*id);
    }
    const bool enough = std::holds_alternative<Concat>(op)
                            ? inputs.size() >= arity(op) && inputs.size() <= kMaxNodes
                            : inputs.size() == arity(op);
    if (!enough) return fail("({}) has {} inputs, needs {}", kindName(op), inputs.size(), arity(op));
    return inputs;
}

Status readNode(const Json& json, Graph& graph) {
    const std::size_t position = graph.nodes().size();
    const std::string* name = json.is_object() ? stringMember(json, "name") : nullptr;
    if (name == nullptr || name->empty() || name->size() > kMaxName) {
        return fail("node {} has no usable \"name\"", position);
    }
    if (graph.find(*name)) return fail("two nodes are named '{}'", *name);
    const Result<Op> op = readOp(json);
    if (!op) return fail("node '{}' {}", *name, op.error().message);
    if (std::holds_alternative<Input>(*op) != (position == 0)) {
        return fail("node '{}' is out of place; the first node, and no other, is an Input", *name);
    }
    Result<std::vector<NodeId>> inputs = readInputs(json, graph, *op);
    if (!inputs) return fail("node '{}' {}", *name, inputs.error().message);
    graph.add(*name, *op, std::move(inputs).value());
    return {};
}

}  // namespace

std::string toJson(const Graph& graph) {
    OutputJson nodes = OutputJson::array();
    for (const Node& node : graph.nodes()) {
        OutputJson inputs = OutputJson::array();
        for (const NodeId input : node.inputs)
            inputs.push_back(graph.node(input).name);
        OutputJson json = {{"name", node.name}, {"op", kindName(node.op)}, {"inputs", std::move(inputs)}};
        std::visit(
            [&](const auto& op) {
                visitAttributes(op, [&](const char* key, const auto& value) { json[key] = value; });
            },
            node.op);
        nodes.push_back(std::move(json));
    }
    const OutputJson document = {
        {"format", kFormat}, {"version", kVersion}, {"arch", graph.arch()}, {"nodes", std::move(nodes)}};
    return document.dump(-1, ' ', false, OutputJson::error_handler_t::replace);
}

Result<Graph> fromJson(std::string_view json) {
    if (json.size() > kMaxBytes) return fail("graph JSON of {} bytes is too large", json.size());
    const Json document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
    if (document.is_discarded()) return fail("the graph is not valid JSON; the file is damaged");
    const std::string* format = document.is_object() ? stringMember(document, "format") : nullptr;
    if (format == nullptr || *format != kFormat) return fail("the JSON is not a graph of Bitloom");
    const auto version = document.find("version");
    if (version == document.end() || *version != kVersion) {
        return fail("the graph has version {}, this program reads {}; use the program that wrote it",
                    version != document.end() && version->is_number() ? version->dump() : "unknown",
                    kVersion);
    }
    const std::string* arch = stringMember(document, "arch");
    const auto nodes = document.find("nodes");
    if (arch == nullptr || nodes == document.end() || !nodes->is_array()) {
        return fail("the graph has no \"arch\" or no list of \"nodes\"");
    }
    if (nodes->size() > kMaxNodes) {
        return fail("the graph has {} nodes, more than the {} supported", nodes->size(), kMaxNodes);
    }
    Graph graph(*arch);
    for (const Json& node : *nodes)
        BITLOOM_RETURN_IF_ERROR(readNode(node, graph));
    BITLOOM_ASSIGN_OR_RETURN([[maybe_unused]] const auto shapes, inferShapes(graph));
    return graph;
}

}  // namespace bitloom::graph

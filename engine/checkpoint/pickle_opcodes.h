// The instructions of pickle protocols 0 to 5 that plain containers and torch.save use, named after CPython's
// pickletools. Not here: the extension registry (EXT1...) and out-of-band buffers, which no weight file has.
#pragma once

#include <cstdint>

namespace bitloom::checkpoint {

// clang-format off
enum class Opcode : std::uint8_t {
    Mark = '(', Stop = '.', Pop = '0', PopMark = '1', Dup = '2', FloatLine = 'F', IntLine = 'I', BinInt = 'J',
    BinInt1 = 'K', LongLine = 'L', BinInt2 = 'M', None = 'N', PersIdLine = 'P', BinPersId = 'Q', Reduce = 'R',
    StringLine = 'S', BinString = 'T', ShortBinString = 'U', UnicodeLine = 'V', BinUnicode = 'X', Append = 'a',
    Build = 'b', Global = 'c', Dict = 'd', EmptyDict = '}', Appends = 'e', GetLine = 'g', BinGet = 'h', Inst = 'i',
    LongBinGet = 'j', List = 'l', EmptyList = ']', Obj = 'o', PutLine = 'p', BinPut = 'q', LongBinPut = 'r',
    SetItem = 's', Tuple = 't', EmptyTuple = ')', SetItems = 'u', BinFloat = 'G', BinBytes = 'B',
    ShortBinBytes = 'C', Proto = 0x80, NewObj = 0x81, Tuple1 = 0x85, Tuple2 = 0x86, Tuple3 = 0x87, NewTrue = 0x88,
    NewFalse = 0x89, Long1 = 0x8a, Long4 = 0x8b, ShortBinUnicode = 0x8c, BinUnicode8 = 0x8d, BinBytes8 = 0x8e,
    EmptySet = 0x8f, AddItems = 0x90, FrozenSet = 0x91, NewObjEx = 0x92, StackGlobal = 0x93, Memoize = 0x94,
    Frame = 0x95, ByteArray8 = 0x96
};
// clang-format on

}  // namespace bitloom::checkpoint

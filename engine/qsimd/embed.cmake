# Writes OUTPUT, a C++ file with the text of FILES under ROOT.
set(text "#include \"engine/qsimd/bundle_files.h\"\n\nnamespace bitloom::qsimd {\n\nconst std::vector<BundleFile>& bundleFiles() {\n    static const std::vector<BundleFile> files = {\n")
foreach(file ${FILES})
  file(READ ${ROOT}/${file} content)
  string(APPEND text "        {\"${file}\", R\"bitloom(${content})bitloom\"},\n")
endforeach()
string(APPEND text "    };\n    return files;\n}\n\n}  // namespace bitloom::qsimd\n")
file(WRITE ${OUTPUT} "${text}")

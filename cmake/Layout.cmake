# fovea_layout_fields(<header> <output>): lists the structs of fovea.h for native/tools/layout.cpp,
#   STRUCT(fovea_device_info)  FIELD(fovea_device_info, kind) ...  END(fovea_device_info)
# layout.cpp refuses gaps, so a field that this plain parser misses cannot go unnoticed.
function(fovea_layout_fields header output)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
  file(READ "${header}" text)
  string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" text "${text}") # comments
  string(REPLACE ";" "," text "${text}") # a CMake list would split there
  string(REGEX MATCHALL "typedef struct [a-z0-9_]+ {[^}]*}" structs "${text}")
  foreach(struct IN LISTS structs)
    string(REGEX MATCH "struct ([a-z0-9_]+)" _ "${struct}")
    set(name ${CMAKE_MATCH_1})
    string(APPEND lines "STRUCT(${name})\n")
    string(REGEX MATCHALL "[a-z0-9_]+(\\[[A-Z0-9_]+\\])?," fields "${struct}")
    foreach(field IN LISTS fields)
      string(REGEX MATCH "^[a-z0-9_]+" field "${field}")
      string(APPEND lines "FIELD(${name}, ${field})\n")
    endforeach()
    string(APPEND lines "END(${name})\n")
  endforeach()
  file(CONFIGURE OUTPUT "${output}" CONTENT "${lines}" @ONLY)
endfunction()

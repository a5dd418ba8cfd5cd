# Run after a backend library is linked
# (cmake -DLIBRARY= -DHEADER= -DOBJECTS= -DNM= -DOBJDUMP= -DGLIBC= -P this):
#  - it exports what fovea.h declares, and nothing else;
#  - it asks for no function of a glibc newer than GLIBC, unless that is empty;
#  - its AVX objects define no inline function under a name that other objects may share (the linker
#    keeps one of the copies, perhaps one that older processors cannot run), and nothing that runs
#    when the library is loaded.
function(fail text)
  file(REMOVE "${LIBRARY}")
  message(FATAL_ERROR "${LIBRARY} ${text}")
endfunction()

function(symbols output)
  execute_process(COMMAND ${NM} --defined-only ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+" lines "${text}")
  set(${output} "${lines}" PARENT_SCOPE)
endfunction()

symbols(lines --dynamic "${LIBRARY}")
list(TRANSFORM lines REPLACE "^[^ ]* . " "" OUTPUT_VARIABLE exported)
set(foreign ${exported})
list(FILTER foreign EXCLUDE REGEX "^fovea_")
if(foreign)
  fail("exports more than fovea_*: ${foreign}")
endif()

file(READ "${HEADER}" text)
string(REGEX MATCHALL "FOVEA_API[^;(]* \\*?fovea_[a-z0-9_]+\\(" declared "${text}")
list(TRANSFORM declared REPLACE ".*[ *](fovea_[a-z0-9_]+)\\(" "\\1")
list(REMOVE_ITEM declared ${exported})
if(declared)
  fail("lacks functions of fovea.h: ${declared}")
endif()

if(GLIBC)
  # nm says no versions before binutils 2.35.
  execute_process(COMMAND ${OBJDUMP} -T "${LIBRARY}" OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "GLIBC_[0-9.]+[) ]+[^ \n]+" versions "${text}")
  if(NOT versions)
    fail("names no version of glibc: objdump -T is read wrongly")
  endif()
  foreach(symbol IN LISTS versions)
    string(REGEX MATCH "^GLIBC_([0-9.]+)[) ]+(.*)" _ "${symbol}")
    if(CMAKE_MATCH_1 VERSION_GREATER GLIBC)
      list(APPEND newer "${CMAKE_MATCH_2} of ${CMAKE_MATCH_1}")
    endif()
  endforeach()
  if(newer)
    list(JOIN newer ", " newer)
    fail("should run on glibc ${GLIBC}; name older versions of these in a glibc.cpp, or do without: ${newer}")
  endif()
endif()

foreach(object IN LISTS OBJECTS)
  if(object MATCHES "/fovea_(avx[0-9a-z_]+|amx)_(attention|others)[.]dir/")
    set(isa ${CMAKE_MATCH_1})
    symbols(lines "${object}")
    set(shared ${lines})
    list(FILTER shared INCLUDE REGEX " [WVu] ")
    list(FILTER shared EXCLUDE REGEX "${isa}")
    list(FILTER lines INCLUDE REGEX " _GLOBAL__")
    if(shared OR lines)
      fail("may run ${isa} code on any processor; move these into a namespace ${isa} or an unnamed one: ${shared} ${lines}")
    endif()
  endif()
endforeach()

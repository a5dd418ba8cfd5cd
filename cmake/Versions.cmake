# The project's version, read from the root pom.xml so that it is written in one place:
# FOVEA_VERSION ("0.1.0-SNAPSHOT") and FOVEA_VERSION_NUMBER ("0.1.0").
set(pom "${CMAKE_CURRENT_LIST_DIR}/../pom.xml")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${pom}")
file(READ "${pom}" text LIMIT 4096)
if(NOT text MATCHES "<artifactId>fovea-parent</artifactId>.*<version>(([0-9.]+)[^<]*)</version>.*<packaging>")
  message(FATAL_ERROR "${pom} names no version of fovea-parent")
endif()
set(FOVEA_VERSION "${CMAKE_MATCH_1}")
set(FOVEA_VERSION_NUMBER "${CMAKE_MATCH_2}")

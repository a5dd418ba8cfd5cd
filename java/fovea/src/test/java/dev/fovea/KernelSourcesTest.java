package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.Abi;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What NVRTC is given, where it is not there to say what it makes of it. */
class KernelSourcesTest {

  /** Of the simulator alone. */
  private static final Set<String> OTHERS = Set.of("sim/sim.h");

  @ParameterizedTest
  @ValueSource(ints = {Abi.FORWARD, Abi.BACKWARD})
  void haveNothingOfHosts(int pass) {
    Map<String, String> headers = ModifierCompiler.headers(pass);
    assertTrue(headers.containsKey("cuda/attention/modifier_run.cuh"), headers.keySet().toString());
    Set<String> hosts = new TreeSet<>();
    Set<String> missing = new TreeSet<>();
    headers.forEach(
        (name, text) -> {
          // The table of operations has addresses of functions of the host.
          if (name.endsWith("/operation.h") || name.endsWith(".cpp")) {
            hosts.add(name);
          }
          ModifierCompiler.INCLUDE
              .matcher(text)
              .results()
              .map(found -> found.group(1))
              .filter(included -> !headers.containsKey(included))
              .forEach(missing::add);
        });
    assertEquals(Set.of(), hosts);
    assertEquals(OTHERS, missing);
  }
}

package dev.fovea.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.report.LoadReport;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Devices found as a service, over the stub of libcuda with the simulator's library. */
class CudaDeviceTest {
  @Test
  void everyDeviceOfTheDriverIsThere() {
    List<String> found =
        Device.all().stream().map(Device::name).filter(name -> name.startsWith("cuda")).toList();
    assertEquals(List.of("cuda:0", "cuda:1"), found);
    assertSame(Samples.FIRST, Device.byName("cuda"));
    assertEquals(
        "NVIDIA A100-SXM4-80GB (simulated), compute capability 8.0, 108 multiprocessors, 80 GiB",
        Samples.FIRST.description());
    assertFalse(Devices.backend(Samples.FIRST).hostMemory());
  }

  @Test
  void theLibraryIsReported() {
    LoadReport report =
        Device.loadReports().stream()
            .filter(found -> found.name().equals("fovea_cuda"))
            .findFirst()
            .orElseThrow();
    assertEquals("sim", report.library().orElseThrow().backend());
    assertTrue(report.library().get().origin().contains("libfovea_sim.so"), report.toString());
    assertTrue(
        Device.loadReports().stream().noneMatch(found -> found.name().startsWith("cuda")),
        "no device is refused");
  }

  @Test
  void anUnknownOrdinalListsThoseThatAreThere() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> Device.byName("cuda:7")).getMessage();
    assertTrue(message.endsWith("cuda:0, cuda:1"), message);
  }

  @Test
  void anEarlierContextOfTheThreadStaysCurrent() {
    DriverCalls.setContext(Samples.SECOND);
    try {
      Samples.FIRST.stream().synchronize();
      assertEquals(DriverCalls.context(Samples.SECOND), DriverCalls.currentContext());
    } finally {
      DriverCalls.clearContext();
    }
    Samples.FIRST.stream().synchronize();
    assertEquals(0, DriverCalls.currentContext());
  }
}

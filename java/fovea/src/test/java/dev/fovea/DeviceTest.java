package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.report.LoadReport;
import java.util.List;
import org.junit.jupiter.api.Test;

class DeviceTest {
  @Test
  void theCpuIsAlwaysThere() {
    assertSame(Device.cpu(), Device.cpu());
    assertSame(Device.cpu(), Device.all().getFirst());
    assertSame(Device.cpu(), Device.byName("cpu"));
    assertEquals("cpu", Device.cpu().name());
  }

  @Test
  void anUnknownNameListsTheKnownOnes() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> Device.byName("npu:3")).getMessage();
    assertTrue(message.startsWith("there is no device \"npu:3\"; there are cpu, "), message);
  }

  @Test
  void tiersAreThoseOfThisCpu() {
    NativeTest.requireLibrary();
    List<Device> tiers = Device.cpuTiers();
    assertSame(Device.cpu(Device.Isa.PORTABLE), tiers.getFirst());
    for (Device.Isa isa : Device.Isa.values()) {
      String name = isa.device();
      boolean here = tiers.stream().anyMatch(tier -> tier.name().equals(name));
      if (here) {
        assertTrue(Device.cpu(isa).description().contains(isa.text()));
        assertSame(Device.cpu(isa), Device.byName(name));
      } else {
        String message =
            assertThrows(UnsupportedOperationException.class, () -> Device.cpu(isa)).getMessage();
        assertTrue(message.endsWith("does not run " + isa.text() + " code"), message);
      }
    }
    assertFalse(Device.cpu().description().isEmpty());
  }

  @Test
  void loadingIsReported() {
    LoadReport report = Device.loadReports().getFirst();
    assertEquals("fovea_cpu", report.name());
    assertFalse(report.attempts().isEmpty());
    if (report.library().isEmpty()) {
      FoveaException e = assertThrows(FoveaException.class, () -> Device.cpu().backend().library());
      assertEquals(Status.LIBRARY_NOT_LOADED, e.status());
      assertEquals(report.toString(), e.getMessage());
    }
  }

  @Test
  void statusesBecomeExceptions() {
    assertEquals(IllegalArgumentException.class, Failures.of(1, "text").getClass());
    assertEquals(UnsupportedOperationException.class, Failures.of(2, "text").getClass());
    assertEquals(Status.DEVICE_ERROR, ((FoveaException) Failures.of(3, "text")).status());
    assertEquals(DeviceLostException.class, Failures.of(4, "text").getClass());
    assertEquals(Status.DEVICE_LOST, ((FoveaException) Failures.of(4, "text")).status());
    FoveaException unknown = (FoveaException) Failures.of(77, "text");
    assertEquals(Status.UNKNOWN, unknown.status());
    assertEquals("status 77: text", unknown.getMessage());
  }
}

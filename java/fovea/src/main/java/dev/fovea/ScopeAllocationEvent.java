package dev.fovea;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;

/**
 * Memory that a scope allocated in a flight recording, with who did it. Off unless a recording asks
 * for it.
 */
@Name("dev.fovea.ScopeAllocation")
@Label("Scope Allocation")
@Category("Fovea")
@Description("Memory that a scope allocated")
@Enabled(false)
final class ScopeAllocationEvent extends Event {
  /** To ask whether events are wanted without making one. */
  static final ScopeAllocationEvent PROBE = new ScopeAllocationEvent();

  @Label("Device")
  String device;

  @Label("Element Type")
  String dtype;

  @Label("Shape")
  String shape;

  @Label("Bytes")
  @DataAmount
  long bytes;

  @Label("Bytes of the Scope")
  @Description("With this allocation, without those of child scopes")
  @DataAmount
  long scopeBytes;

  @Label("Bytes Held")
  @Description("By all scopes of the same memory, afterwards")
  @DataAmount
  long held;
}

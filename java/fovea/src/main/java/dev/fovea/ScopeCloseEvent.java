package dev.fovea;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;

/**
 * Memory of a scope that has gone in a flight recording, with who did it. Off unless a recording
 * asks for it.
 */
@Name("dev.fovea.ScopeClose")
@Label("Scope Close")
@Category("Fovea")
@Description("Memory of a scope that has gone")
@Enabled(false)
final class ScopeCloseEvent extends Event {
  /** To ask whether events are wanted without making one. */
  static final ScopeCloseEvent PROBE = new ScopeCloseEvent();

  @Label("Device")
  String device;

  @Label("Bytes")
  @DataAmount
  long bytes;

  @Label("Bytes Held")
  @Description("By all scopes of the same memory, afterwards")
  @DataAmount
  long held;
}

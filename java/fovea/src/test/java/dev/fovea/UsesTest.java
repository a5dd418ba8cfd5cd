package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Uses and a close that exclude each other. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class UsesTest {
  private static final String REFUSAL = "in use by %d";

  private final Uses uses = new Uses();

  @Test
  void aUseRefusesTheClose() {
    uses.acquire("it");
    assertTrue(uses.isAlone());
    uses.acquire("it");
    assertFalse(uses.isAlone());
    String message =
        assertThrows(IllegalStateException.class, () -> uses.close(REFUSAL)).getMessage();
    assertEquals("in use by 2", message);
    uses.release();
    uses.release();
    assertTrue(uses.close(REFUSAL));
    assertFalse(uses.close(REFUSAL));
    message = assertThrows(IllegalStateException.class, () -> uses.acquire("it")).getMessage();
    assertEquals("it is closed", message);
  }

  /** Nobody is told that it is closed when in the end it stays open. */
  @Test
  void whoeverComesDuringACloseSeesHowItEnds() throws Exception {
    for (boolean closed : new boolean[] {false, true}) {
      assertTrue(uses.beginClose(REFUSAL));
      assertTrue(uses.isOpen());
      CompletableFuture<Boolean> use = new CompletableFuture<>();
      Thread user = Thread.ofPlatform().start(() -> use.complete(uses.tryAcquire()));
      while (user.getState() == Thread.State.NEW) {
        Thread.onSpinWait();
      }
      assertFalse(use.isDone());
      uses.endClose(closed);
      assertEquals(!closed, use.get());
      if (!closed) {
        uses.release();
      }
    }
    assertFalse(uses.isOpen());
  }
}

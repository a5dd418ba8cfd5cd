package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NearMissTest {

  private static final List<String> NAMES =
      List.of("--query", "--query-lengths", "--key", "--out", "--weights", "-h", "info");

  @ParameterizedTest
  @CsvSource({
    "--qeury, --query",
    "--weigths=3, --weights",
    "--wights, --weights",
    "--Query, --query",
    "--query-len, --query-lengths",
    "--outt, --out",
    "inof, info"
  })
  void aSlipIsUnderstood(String typed, String meant) {
    assertEquals(Optional.of(meant), NearMiss.of(typed, NAMES));
  }

  @Test
  void otherWordsAreNot() {
    for (String typed : List.of("", "-", "--", "-x", "help", "--bias", "x".repeat(5000))) {
      assertEquals(Optional.empty(), NearMiss.of(typed, NAMES), typed);
    }
  }
}

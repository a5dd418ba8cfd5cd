package dev.fovea.testkit;

import java.util.Arrays;

/** Values of the features that operations on sequences have in common, a few each. */
public final class FeatureValues {

  private FeatureValues() {}

  /** full, causal or causal-top-left. */
  public static String mask(Visibility v) {
    return !v.causal() ? "full" : v.topLeft() ? "causal-top-left" : "causal";
  }

  /** Which sides of the window are bounded. */
  public static String window(Visibility v) {
    boolean right = v.windowRight() >= 0;
    return v.windowLeft() >= 0 ? right ? "both" : "left" : right ? "right" : "none";
  }

  /** Query heads of a key head. */
  public static String group(Geometry g) {
    return g.group() == 1 ? "1" : g.group() <= 3 ? "2-3" : g.group() <= 8 ? "4-8" : "9+";
  }

  /** How the lengths of sequences are given. */
  public static String lengths(Geometry g) {
    if (g.packed()) {
      return g.hasKeyLengths() ? "packed-key" : "packed";
    }
    if (g.queryLengths() == null) {
      return g.keyLengths() == null ? "full" : "key";
    }
    return g.keyLengths() == null ? "query" : "both";
  }

  /** Columns of a head. */
  public static String headDim(int d) {
    if (d > 512) {
      return "513+";
    }
    if (d < 8) {
      return "1-7";
    }
    if (d % 8 != 0) {
      return "odd";
    }
    return d <= 32 ? "8-32" : d <= 64 ? "40-64" : d <= 128 ? "80-128" : "160-512";
  }

  /** Rows. */
  public static String size(int n) {
    if (n == 0) {
      return "0";
    }
    return n == 1 ? "1" : n < 16 ? "2-15" : n < 64 ? "16-63" : n < 256 ? "64-255" : "256+";
  }

  /** Queries beside keys. */
  public static String shape(Geometry g) {
    if (g.batch() == 0) {
      return "no-sequence";
    }
    boolean someEmpty = false;
    for (int b = 0; b < g.batch(); b++) {
      someEmpty |= g.lenQ(b) == 0 || g.lenK(b) == 0;
    }
    if (someEmpty) {
      return "some-sequence-empty";
    }
    return g.queryLength() < g.keyLength()
        ? "fewer-queries"
        : g.queryLength() == g.keyLength() ? "square" : "more-queries";
  }

  /** The strides of rows. */
  public static String layout(Layout layout) {
    if (Arrays.stream(layout.stride()).anyMatch(s -> s >= Layout.ABSURD)) {
      return "absurd";
    }
    if (layout.isShared()) {
      return "broadcast";
    }
    long dense = layout.size()[3];
    if (layout.stride()[2] == dense && layout.stride()[1] == dense * layout.size()[2]) {
      return "BSHD";
    }
    if (layout.stride()[1] == dense && layout.stride()[2] == dense * layout.size()[1]) {
      return "BHSD";
    }
    return layout.stride()[2] == dense ? "token-gaps" : "other";
  }
}

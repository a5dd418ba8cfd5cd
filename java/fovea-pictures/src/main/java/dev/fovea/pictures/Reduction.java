package dev.fovea.pictures;

/** What one cell shows of several weights, where there are more than a picture has room for. */
public enum Reduction {
  /** The largest: no single weight goes unseen. NaN where any is NaN. */
  MAX,
  /** The mean: areas keep their share. NaN where any is NaN. */
  MEAN;

  /** As a picture says it. */
  String text() {
    return this == MAX ? "largest" : "mean";
  }
}

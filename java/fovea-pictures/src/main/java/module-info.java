/** Attention weights as pictures: what needs {@code java.desktop}, which Fovea itself does not. */
module dev.fovea.pictures {
  requires transitive dev.fovea;
  requires transitive java.desktop;

  exports dev.fovea.pictures;
}

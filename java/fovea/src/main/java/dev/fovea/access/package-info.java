/** What modules of Fovea alone see of devices. */
package dev.fovea.access;

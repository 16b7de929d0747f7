// in: newroom

package newroom // want "in no room"
